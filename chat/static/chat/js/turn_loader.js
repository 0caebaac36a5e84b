/**
 * Loads what the server draws of a turn: the messages of one that another tab started, and complete
 * blocks of an answer. Owns the requests under way.
 */

import { load, loadFragment } from "./api.js";
import { find } from "./dom.js";
import { elementFrom } from "./html.js";

export class TurnLoader {
  #urls;
  #view;
  /** @type {Set<string>} */
  #loading = new Set();

  /** @param {{home: string, replies: string}} urls @param {import("./message_view.js").MessageView} view */
  constructor(urls, view) {
    this.#urls = urls;
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

  /**
   * Load the complete blocks of a part of a reply, rendered.
   * @param {string} reply
   * @param {number} offset where the part begins, in code points
   * @param {number} until up to where the reply is known here
   * @returns {Promise<import("./reply_blocks.js").Part>}
   */
  loadPart(reply, offset, until) {
    return load(`${this.#urls.replies}${reply}/blocks/?offset=${offset}&until=${until}`);
  }

  /** @param {string} conversation @param {string} message @returns {Promise<any>} */
  async #show(conversation, message) {
    const known = this.#view.elementOf(message);
    if (known && !hasEnded(known)) return known;
    const url = `${this.#urls.home}c/${conversation}/messages/${message}/`;
    const element = elementFrom(await loadFragment(url));
    if (known) {
      if (isSame(known, element)) return known;
      this.#view.replace(known, element); // It is gone on with.
      return element;
    }
    const parent = element.dataset.parent || undefined;
    // More than one turn was missed: only the whole page shows all of them.
    if (!this.#view.makeLast(parent)) location.reload();
    this.#view.append(element);
    return element;
  }
}

/**
 * Whether two elements of one answer show the same: what somebody opened or chose in it then stays.
 * @param {HTMLElement} known
 * @param {HTMLElement} loaded
 */
function isSame({ dataset: known }, { dataset: loaded }) {
  return known.state === loaded.state && known.chars === loaded.chars;
}

/** @param {HTMLElement} element @returns {boolean} whether it is an answer that has ended */
function hasEnded({ dataset }) {
  return dataset.role === "assistant" && !["queued", "running"].includes(dataset.state ?? "");
}
