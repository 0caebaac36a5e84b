/**
 * The cards of the conversation list, of which only those near the eye are in the page: each page
 * of the list is a chunk, filled when it comes near and emptied when it is far.
 * Owns the list's elements and their heights; what a card says is the sidebar's.
 */

import { cloneTemplate, find, isBetween, on } from "./dom.js";
import { placeHtml } from "./html.js";

const NEAR_PX = 1000;
const STEPS = new Map([["ArrowDown", 1], ["ArrowUp", -1]]);

export class CardList {
  #root;
  #options;
  /** @type {Map<Element, Promise<void>>} */
  #filling = new Map();
  #observer;

  /**
   * @param {HTMLElement} root
   * @param {{home: string, load(page: string): Promise<string | null>, onShown(): void}} options
   *   `load` gives the server's HTML of a page, null where it did not come
   */
  constructor(root, options) {
    this.#root = root;
    this.#options = options;
    this.#observer = new IntersectionObserver((entries) => this.#moved(entries), {
      root,
      rootMargin: `${NEAR_PX}px 0px`,
    });
    on(root, "keydown", (event) => this.#keyPressed(event));
    on(root, "focusout", ({ target }) => this.#lookAgain(target.closest("[data-chunk]")));
    this.#watch();
  }

  /** Show the whole list anew. @param {string} html its first page, with what is still to come */
  show(html) {
    this.#observer.disconnect();
    placeHtml(this.#root, html);
    this.#watch();
  }

  /** Every card that is in the page. @returns {any[]} */
  get cards() {
    return [...this.#root.querySelectorAll("[data-card]")];
  }

  /** @param {string} id @returns {any} */
  card(id) {
    return this.#root.querySelector(`[data-card="${CSS.escape(id)}"]`);
  }

  /** A card of this conversation, not in the list yet. @param {string} id @returns {any} */
  newCard(id) {
    const card = cloneTemplate("card");
    card.dataset.card = id;
    find("card-link", card).href = `${this.#options.home}c/${id}/`;
    return card;
  }

  /** Focus a card, if it is in the page. @param {string} id */
  focus(id) {
    const card = this.card(id);
    if (card) focus(card);
  }

  /** Put a card on top of today's, unless somebody is busy with it. @param {any} card */
  moveUp(card) {
    const today = this.#root.querySelector('[data-group="today"] [data-cards]');
    if (!today || card.contains(document.activeElement)) return;
    if (today.firstElementChild !== card) today.prepend(card);
  }

  /** Take a card away; its neighbour gets the focus that it had. @param {any} card */
  remove(card) {
    const hasFocus = card.contains(document.activeElement);
    const next = hasFocus ? (this.#beside(card, 1) ?? this.#beside(card, -1)) : null;
    card.remove();
    if (next) focus(next);
    this.tidy();
  }

  /** Hide what is empty. */
  tidy() {
    for (const group of this.#root.querySelectorAll("[data-group]")) {
      /** @type {any} */ (group).hidden = !group.querySelector("[data-card]");
    }
    const empty = this.#root.querySelector("[data-list-empty]");
    const isEmpty = this.#chunks.every((chunk) => !isBlank(chunk) && !chunk.querySelector("[data-card]"));
    if (empty) /** @type {any} */ (empty).hidden = !isEmpty;
  }

  /** @returns {any[]} */
  get #chunks() {
    return [...this.#root.querySelectorAll("[data-chunk]")];
  }

  #watch() {
    for (const chunk of this.#chunks) this.#observer.observe(chunk);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #moved(entries) {
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      if (isIntersecting) this.#fill(target);
      else if (boundingClientRect.height > 0) this.#empty(/** @type {any} */ (target));
    }
  }

  /** @param {any} chunk @returns {Promise<void>} when its cards are there, or did not come */
  #fill(chunk) {
    if (!isBlank(chunk)) return Promise.resolve();
    const known = this.#filling.get(chunk);
    if (known) return known;
    const filling = this.#load(chunk).finally(() => this.#filling.delete(chunk));
    this.#filling.set(chunk, filling);
    return filling;
  }

  /** @param {any} chunk */
  async #load(chunk) {
    const html = await this.#options.load(chunk.dataset.chunk);
    if (html === null || !chunk.isConnected) return;
    const loaded = document.createElement("div");
    placeHtml(loaded, html);
    // The first page comes with what follows it.
    const content = loaded.querySelector("[data-chunk]") ?? loaded;
    for (const card of content.querySelectorAll("[data-card]")) {
      // It moved between two pages meanwhile.
      if (this.card(/** @type {any} */ (card).dataset.card)) card.remove();
    }
    chunk.replaceChildren(...content.childNodes);
    chunk.classList.remove("chunk--blank");
    chunk.style.blockSize = "";
    this.#joinGroups(chunk);
    this.tidy();
    this.#lookAgain(chunk);
    this.#options.onShown();
  }

  /** Let go what came late or stayed for its focus: the observer tells of changes alone. @param {Element} chunk */
  #lookAgain(chunk) {
    this.#observer.unobserve(chunk);
    this.#observer.observe(chunk);
  }

  /** A group that goes on from the page before needs no second title. @param {any} chunk */
  #joinGroups(chunk) {
    const groups = chunk.querySelectorAll("[data-group]");
    const before = chunk.previousElementSibling;
    chunk.dataset.lastGroup = groups[groups.length - 1]?.dataset.group ?? "";
    const isJoined = before && lastGroupOf(before) === groups[0]?.dataset.group;
    groups[0]?.classList.toggle("group--joined", Boolean(isJoined));
  }

  /** @param {HTMLElement} chunk */
  #empty(chunk) {
    if (isBlank(chunk) || chunk.contains(document.activeElement)) return;
    chunk.dataset.lastGroup = lastGroupOf(chunk);
    chunk.style.blockSize = `${chunk.offsetHeight}px`;
    chunk.replaceChildren();
    chunk.classList.add("chunk--blank");
  }

  /** @param {KeyboardEvent} event */
  #keyPressed(event) {
    const card = /** @type {Element} */ (event.target).closest("[data-card]");
    if (!card || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS.get(event.key);
    if (step) this.#step(card, step);
    else if (event.key === "Home") this.#goTo(this.#chunks[0], 0);
    else if (event.key === "End") this.#goTo(this.#chunks.at(-1), -1);
    else return;
    event.preventDefault();
  }

  /** @param {Element} card @param {number} step */
  #step(card, step) {
    const next = this.#beside(card, step);
    if (next) focus(next);
    else this.#goTo(this.#chunks.find((chunk) => chunk.contains(card)), step > 0 ? -1 : 0, step);
  }

  /** The card before or after one, where it is in the page. @param {Element} card @param {number} step */
  #beside(card, step) {
    const { cards } = this;
    const next = cards[cards.indexOf(card) + step];
    if (!next) return null;
    const between = this.#chunks.filter((chunk) => isBlank(chunk) && isBetween(chunk, card, next));
    return between.length > 0 ? null : next;
  }

  /** Focus a card of a chunk, or of the one beside it. @param {any} chunk @param {number} index @param {number} [step] */
  async #goTo(chunk, index, step = 0) {
    const chunks = this.#chunks;
    const wanted = chunks[chunks.indexOf(chunk) + step];
    if (!wanted) return;
    wanted.scrollIntoView({ block: "nearest" });
    await this.#fill(wanted);
    const card = [...wanted.querySelectorAll("[data-card]")].at(step ? (step > 0 ? 0 : -1) : index);
    if (card) focus(card);
  }
}

/** @param {Element} chunk */
function isBlank(chunk) {
  return chunk.classList.contains("chunk--blank");
}

/** @param {any} chunk @returns {string} */
function lastGroupOf(chunk) {
  const groups = chunk.querySelectorAll("[data-group]:not([hidden])");
  return groups[groups.length - 1]?.dataset.group ?? chunk.dataset.lastGroup ?? "";
}

/** @param {any} card */
function focus(card) {
  find("card-link", card).focus();
}
