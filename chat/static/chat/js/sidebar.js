/**
 * The conversation list: search, older ones, rename, delete, and the cards that frames bring.
 * Owns the list's elements.
 */

import { change, loadFragment } from "./api.js";
import { askDelete, askTitle } from "./dialogs.js";
import { cloneTemplate, find, on, onWithin, setText } from "./dom.js";
import { placeHtml } from "./html.js";
import { say } from "./texts.js";

const SEARCH_AFTER_MS = 200;

export class Sidebar {
  #root;
  #list;
  #options;
  #timer = 0;
  #search = new AbortController();

  /**
   * @param {Element} root
   * @param {{urls: Record<string, string>, csrfToken(): string, current(): string | null,
   *   toast(text: string): void, onDeleted(conversation: string): void}} options
   */
  constructor(root, options) {
    this.#root = root;
    this.#options = options;
    this.#list = find("conversations", root);
    on(find("search", root), "input", () => this.#searchSoon());
    on(find("search-form", root), "submit", (event) => {
      event.preventDefault();
      this.#searchNow();
    });
    onWithin(this.#list, "click", "more", (button) => this.#loadMore(button));
    onWithin(this.#list, "click", "rename", (button) => this.#rename(cardOf(button)));
    onWithin(this.#list, "click", "delete", (button) => this.#delete(cardOf(button)));
  }

  /** Take a `conversation` frame in. @param {import("./protocol.js").Frame} frame */
  apply(frame) {
    const known = this.#cardElement(frame.conversation);
    if (frame.is_deleted) {
      known?.remove();
      this.#tidy();
      return;
    }
    // A search shows what was found; what is new belongs there only after another search.
    if (!known && this.#query) return;
    const card = known ?? this.#newCard(frame.conversation);
    setText(find("card-title", card), frame.title || say("untitled"));
    card.toggleAttribute("data-generating", frame.is_generating);
    find("card-generating", card).hidden = !frame.is_generating;
    this.#showUnread(card, frame.is_unread === true);
    if (!known || frame.is_generating) this.#moveUp(card);
    this.#tidy();
  }

  /**
   * What is shown in a tab that somebody looks at has been read, and is so everywhere.
   * @param {any} card @param {boolean} isUnread
   */
  #showUnread(card, isUnread) {
    const isRead = !document.hidden && card.dataset.card === this.#options.current();
    card.toggleAttribute("data-unread", isUnread && !isRead);
    find("card-unread", card).hidden = !isUnread || isRead;
    // Should it not arrive, the mark comes back with the next list: nothing is lost.
    if (isUnread && isRead) this.#change("PATCH", card, { unread: false }).catch(() => {});
  }

  /** Somebody looks at the page again. */
  look() {
    const card = this.#cardElement(this.#options.current() ?? "");
    if (card?.hasAttribute("data-unread")) this.#showUnread(card, true);
  }

  /** Mark the shown conversation. @param {string | null} conversation */
  markCurrent(conversation) {
    for (const card of this.#list.querySelectorAll("[data-card]")) {
      const isCurrent = /** @type {any} */ (card).dataset.card === conversation;
      const link = find("card-link", card);
      if (isCurrent) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  get #query() {
    return find("search", this.#root).value.trim();
  }

  /** @param {string} id @returns {any} */
  #cardElement(id) {
    return this.#list.querySelector(`[data-card="${CSS.escape(id)}"]`);
  }

  /** @param {string} id @returns {any} */
  #newCard(id) {
    const card = cloneTemplate("card");
    card.dataset.card = id;
    find("card-link", card).href = `${this.#options.urls.home}c/${id}/`;
    return card;
  }

  /** @param {Element} card */
  #moveUp(card) {
    const cards = this.#list.querySelector('[data-group="today"] [data-cards]');
    if (cards && cards.firstElementChild !== card && !card.contains(document.activeElement)) {
      cards.prepend(card);
    }
    if (card.isConnected) this.markCurrent(this.#options.current());
  }

  #tidy() {
    for (const group of this.#list.querySelectorAll("[data-group]")) {
      /** @type {any} */ (group).hidden = !group.querySelector("[data-card]");
    }
    const empty = this.#list.querySelector("[data-list-empty]");
    if (empty) /** @type {any} */ (empty).hidden = Boolean(this.#list.querySelector("[data-card]"));
  }

  #searchSoon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#searchNow(), SEARCH_AFTER_MS);
  }

  async #searchNow() {
    clearTimeout(this.#timer);
    this.#search.abort();
    this.#search = new AbortController();
    const html = await this.#load({ q: this.#query }, this.#search.signal);
    if (html !== null) placeHtml(this.#list, html);
  }

  /** @param {HTMLButtonElement} button */
  async #loadMore(button) {
    button.disabled = true;
    const html = await this.#load({ q: this.#query, page: button.dataset.more ?? "" });
    if (html === null) {
      button.disabled = false;
      return;
    }
    const piece = document.createElement("ul");
    placeHtml(piece, html);
    const cards = find("cards", find("conversations", this.#root).querySelector('[data-group="earlier"]'));
    const added = [...piece.querySelectorAll("[data-card]")];
    // A conversation can have moved between two pages meanwhile.
    cards.append(...added.filter((card) => !this.#cardElement(/** @type {any} */ (card).dataset.card)));
    const more = piece.querySelector("[data-more]");
    if (more) button.replaceWith(more);
    else button.remove();
    this.#tidy();
    find("card-link", added[0]).focus();
  }

  /** @param {Record<string, string>} query @param {AbortSignal} [signal] */
  async #load(query, signal) {
    const parameters = new URLSearchParams({ ...query, current: this.#options.current() ?? "" });
    try {
      return await loadFragment(`${this.#options.urls.sidebar}?${parameters}`, signal);
    } catch {
      if (!signal?.aborted) this.#options.toast(say("list_failed"));
      return null;
    }
  }

  /** @param {any} card */
  async #rename(card) {
    const place = find("card-title", card);
    const title = await askTitle(place.textContent);
    if (title === null) return;
    const before = place.textContent;
    setText(place, title);
    await this.#change("PATCH", card, { title }).catch(() => {
      setText(place, before);
      this.#options.toast(say("rename_failed"));
    });
  }

  /** @param {any} card */
  async #delete(card) {
    if (!(await askDelete(find("card-title", card).textContent))) return;
    try {
      await this.#change("DELETE", card);
    } catch {
      this.#options.toast(say("delete_failed"));
      return;
    }
    card.remove();
    this.#tidy();
    this.#options.onDeleted(card.dataset.card);
  }

  /** @param {"PATCH" | "DELETE"} method @param {any} card @param {unknown} [body] */
  #change(method, card, body) {
    const url = `${this.#options.urls.conversations}${card.dataset.card}/`;
    return change(method, url, { csrfToken: this.#options.csrfToken(), body });
  }
}

/** @param {Element} element @returns {any} */
function cardOf(element) {
  return element.closest("[data-card]");
}
