/**
 * Brings the earlier messages of a long conversation into the page when somebody scrolls there.
 * Owns the button above the first message; tells the rest by an `earlier` event on the list,
 * with their elements.
 */

import { finishBody } from "./answer_body.js";
import { loadFragment } from "./api.js";
import { find, on } from "./dom.js";
import { elementFrom } from "./html.js";
import { say } from "./texts.js";
import { tookEarlier } from "./transcript_pictures.js";

const NEAR_PX = 3000; // so far away that nothing of what comes is near enough to be laid out at once

/**
 * Watch the way up.
 * @param {HTMLElement} scroller
 * @param {{url: string, toast(text: string): void}} options `url` is that of the messages
 */
export function watchHistory(scroller, { url, toast }) {
  const list = find("messages", scroller);
  const button = find("earlier", scroller);
  let lastTop = 0;
  let lastToEnd = 0; // from there to the end of the conversation
  let isLoading = false;

  async function load() {
    if (isLoading || button.hidden) return;
    isLoading = true;
    list.dataset.long = ""; // what is out of sight costs little from here on
    try {
      place(elementFrom(await loadFragment(`${url}${button.dataset.earlier}/earlier/`)));
    } catch {
      toast(say("list_failed"));
    } finally {
      isLoading = false;
    }
  }

  /** @param {any} stretch */
  function place(stretch) {
    const added = [...stretch.children];
    const height = scroller.scrollHeight;
    const top = scroller.scrollTop;
    // What is being read stays where it is; not every browser sees to that, and none at the top.
    scroller.style.overflowAnchor = "none";
    list.prepend(...added);
    for (const message of added) {
      for (const body of message.querySelectorAll("[data-body]")) finishBody(body);
    }
    tookEarlier(list, added);
    button.dataset.earlier = stretch.dataset.earlier;
    button.hidden = !stretch.dataset.earlier;
    list.dispatchEvent(new CustomEvent("earlier", { detail: added }));
    scroller.scrollTop = top + scroller.scrollHeight - height;
    scroller.style.overflowAnchor = "";
    remember(); // whoever goes up again before the next frame is heard, too
  }

  function remember() {
    lastTop = scroller.scrollTop;
    lastToEnd = scroller.scrollHeight - lastTop;
  }

  on(button, "click", async () => {
    await load();
    if (button.hidden) scroller.focus(); // all is there now: the keys scroll
  });
  on(scroller, "scroll", () => {
    const top = scroller.scrollTop;
    const toEnd = scroller.scrollHeight - top;
    // What is laid out above the reader at last moves the top too, and the end with it.
    const isGoingUp = top < lastTop && toEnd > lastToEnd + 1; // a pixel is the browser's rounding
    if (isGoingUp && top < NEAR_PX) load();
    remember();
  }, { passive: true });
}
