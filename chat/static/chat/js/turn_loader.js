/**
 * Brings a turn that another tab started into this one: its messages as the server draws them.
 * Owns the requests under way.
 */

import { loadFragment } from "./api.js";
import { find } from "./dom.js";
import { elementFrom } from "./html.js";

export class TurnLoader {
  #home;
  #view;
  /** @type {Set<string>} */
  #loading = new Set();

  /** @param {string} home @param {import("./message_view.js").MessageView} view */
  constructor(home, view) {
    this.#home = home;
    this.#view = view;
  }

  /**
   * Load and show a turn, once.
   * @param {string} conversation
   * @param {{message: string, reply: string}} turn
   * @returns {Promise<{isOpen: boolean, text: string, imageCount: number} | null>} null when
   *   there is nothing to follow
   */
  async load(conversation, { message, reply }) {
    if (this.#loading.has(reply)) return null;
    this.#loading.add(reply);
    try {
      const question = await this.#show(conversation, message);
      const answer = await this.#show(conversation, reply);
      const isOpen = ["queued", "running"].includes(answer.dataset.state ?? "");
      const text = isOpen ? "" : (find("body", answer).textContent ?? "");
      const imageCount = question.querySelectorAll("[data-picture]").length;
      return { isOpen, text, imageCount };
    } catch {
      return null; // The next card of this conversation tries again.
    } finally {
      this.#loading.delete(reply);
    }
  }

  /** @param {string} conversation @param {string} message @returns {Promise<any>} */
  async #show(conversation, message) {
    const known = this.#view.elementOf(message);
    if (known && !hasEnded(known)) return known;
    const url = `${this.#home}c/${conversation}/messages/${message}/`;
    const element = elementFrom(await loadFragment(url));
    if (known) {
      known.replaceWith(element); // It is gone on with.
      return element;
    }
    const parent = element.dataset.parent || undefined;
    // More than one turn was missed: only the whole page shows all of them.
    if (!this.#view.makeLast(parent)) location.reload();
    this.#view.append(element);
    return element;
  }
}

/** @param {HTMLElement} element @returns {boolean} whether it is an answer that has ended */
function hasEnded({ dataset }) {
  return dataset.role === "assistant" && !["queued", "running"].includes(dataset.state ?? "");
}
