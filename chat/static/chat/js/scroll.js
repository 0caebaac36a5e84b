/**
 * Keeps the end of the transcript in sight while text arrives, unless the reader scrolled up.
 * Owns the scroll position and the "to the end" button.
 */

import { on } from "./dom.js";

const NEAR_END_PX = 64;

export class Follower {
  #scroller;
  #content;
  #button;
  #isFollowing;
  #lastTop = 0;
  #releases;

  /** @param {HTMLElement} scroller @param {HTMLElement} content @param {HTMLElement} button */
  constructor(scroller, content, button) {
    this.#scroller = scroller;
    this.#content = content;
    this.#button = button;
    // Opened by the hit of a search: it is read from there.
    /** @type {HTMLElement | null} */
    const sought = content.querySelector("[data-sought]");
    // Before the first frame transcript_boot.js has not moved it; after it the reader may have.
    const isMoved = scroller.scrollTop > 0;
    this.#isFollowing = isMoved ? this.#distance < NEAR_END_PX : !sought;
    if (!isMoved) sought?.scrollIntoView({ block: "center" });
    const observer = new ResizeObserver(() => this.#grew());
    observer.observe(content);
    observer.observe(scroller);
    this.#releases = [
      () => observer.disconnect(),
      on(scroller, "scroll", () => this.#scrolled(), { passive: true }),
      on(button, "click", () => this.follow()),
    ];
  }

  /** Go to the end and stay there. */
  follow() {
    this.#isFollowing = true;
    this.#grew();
  }

  /** Let go of the page. */
  release() {
    for (const release of this.#releases) release();
  }

  get #distance() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #grew() {
    // The empty page is read from its top.
    const hasMessages = this.#content.querySelector("[data-role]") !== null;
    if (this.#isFollowing && hasMessages) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#button.hidden = this.#isFollowing || this.#distance < NEAR_END_PX;
  }

  #scrolled() {
    const top = this.#scroller.scrollTop;
    // Only a move upwards is the reader's wish to stay; growing content is none.
    if (this.#distance < NEAR_END_PX) this.#isFollowing = true;
    else if (top < this.#lastTop) this.#isFollowing = false;
    this.#lastTop = top;
    this.#button.hidden = this.#isFollowing || this.#distance < NEAR_END_PX;
  }
}
