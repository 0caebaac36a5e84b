/** Reads the replies that the server drew into the page while they were being written. */

import { find } from "./dom.js";
import { countCodePoints } from "./protocol.js";

/**
 * Every open reply of the transcript, with the text that is shown of it.
 * @param {Element} list
 * @returns {{id: string, text: string, imageCount: number}[]}
 */
export function shownReplies(list) {
  /** @type {HTMLElement[]} */
  const answers = [...list.querySelectorAll('[data-role="assistant"]')].map((el) => /** @type {any} */ (el));
  const open = answers.filter(({ dataset }) => ["queued", "running"].includes(dataset.state ?? ""));
  return open.map((element) => {
    const shown = find("body", element).textContent;
    // Where the browser changed the text (a lone carriage return), it is asked for again.
    const text = countCodePoints(shown) === Number(element.dataset.chars) ? shown : "";
    const question = element.previousElementSibling;
    const imageCount = question?.querySelectorAll("[data-picture]").length ?? 0;
    return { id: element.dataset.message ?? "", text, imageCount };
  });
}
