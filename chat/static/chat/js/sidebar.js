/**
 * The conversation list: search, archive, and the cards that frames bring.
 * Owns what the cards say; card_list has their elements, card_actions changes conversations.
 */

import { change, loadFragment } from "./api.js";
import { watchCardActions } from "./card_actions.js";
import { CardList } from "./card_list.js";
import { find, on, setText } from "./dom.js";
import { Notices } from "./notices.js";
import { say } from "./texts.js";

const SEARCH_AFTER_MS = 200;
const REFRESH_AFTER_MS = 30; // the answer to a change and its frame come together

export class Sidebar {
  #root;
  #options;
  #list;
  #notices;
  #timer = 0;
  #refresh = 0;
  #isArchive = false;
  #search = new AbortController();

  /**
   * @param {Element} root
   * @param {{urls: Record<string, string>, csrfToken(): string, current(): string | null,
   *   toast(text: string): void, onDeleted(conversation: string): void}} options
   */
  constructor(root, options) {
    this.#root = root;
    this.#options = options;
    this.#notices = new Notices(options.urls.home);
    this.#list = new CardList(find("conversations", root), {
      home: options.urls.home,
      load: (page) => this.#load({ page }, this.#search.signal),
      onShown: () => this.markCurrent(options.current()),
    });
    watchCardActions(find("conversations", root), {
      change: (method, path, body) => this.#change(method, path, body),
      onChanged: () => this.#refreshSoon(),
      onDeleted: (id) => this.#deleted(id),
      toast: options.toast,
    });
    on(find("search", root), "input", () => this.#searchSoon());
    on(find("search-form", root), "submit", (event) => {
      event.preventDefault();
      this.#showAnew();
    });
    on(find("archive", root), "click", () => this.#showArchive(!this.#isArchive));
  }

  /** Take a `conversation` frame in. @param {import("./protocol.js").Frame} frame */
  apply(frame) {
    this.#notices.hear(frame);
    const card = this.#list.card(frame.conversation);
    if (frame.is_deleted) {
      if (card) this.#list.remove(card);
    } else if (card) {
      this.#draw(card, frame);
      if (hasMoved(card, frame)) this.#refreshSoon();
      else if (this.#isOnTop(frame)) this.#list.moveUp(card);
    } else if (!this.#query) {
      this.#add(frame); // a search shows what was found, until the next one
    }
    this.#list.tidy();
  }

  /** Somebody looks at the page again. */
  look() {
    const card = this.#list.card(this.#options.current() ?? "");
    if (card?.hasAttribute("data-unread")) this.#showUnread(card, true);
  }

  /** Mark the shown conversation. @param {string | null} conversation */
  markCurrent(conversation) {
    for (const card of this.#list.cards) {
      const link = find("card-link", card);
      if (card.dataset.card === conversation) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  get #query() {
    return find("search", this.#root).value.trim();
  }

  /** Whether it is today's newest in the list that is shown. @param {import("./protocol.js").Frame} frame */
  #isOnTop(frame) {
    const isElsewhere = frame.is_pinned || frame.is_archived || this.#isArchive || this.#query;
    return frame.is_generating && !isElsewhere;
  }

  /** @param {import("./protocol.js").Frame} frame */
  #add(frame) {
    if (!this.#isOnTop(frame)) {
      this.#refreshSoon(); // brought back, or far down in the list: the server knows where
      return;
    }
    const card = this.#list.newCard(frame.conversation);
    this.#draw(card, frame);
    this.#list.moveUp(card);
    this.markCurrent(this.#options.current());
  }

  /** @param {any} card @param {import("./protocol.js").Frame} frame */
  #draw(card, frame) {
    const title = find("card-title", card);
    // What a search has set off in it stays, until it is another title.
    if (title.textContent !== (frame.title || say("untitled"))) setText(title, frame.title || say("untitled"));
    card.toggleAttribute("data-generating", frame.is_generating);
    find("card-generating", card).hidden = !frame.is_generating;
    this.#showUnread(card, frame.is_unread === true);
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
    if (isUnread && isRead) this.#change("PATCH", `${card.dataset.card}/`, { unread: false }).catch(() => {});
  }

  /** @param {string} id */
  #deleted(id) {
    const card = this.#list.card(id);
    if (card) this.#list.remove(card);
    this.#options.onDeleted(id);
  }

  /** @param {boolean} isArchive */
  #showArchive(isArchive) {
    this.#isArchive = isArchive;
    find("archive", this.#root).setAttribute("aria-pressed", String(isArchive));
    find("search", this.#root).value = "";
    return this.#showAnew();
  }

  #searchSoon() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.#showAnew(), SEARCH_AFTER_MS);
  }

  #refreshSoon() {
    clearTimeout(this.#refresh);
    this.#refresh = window.setTimeout(() => this.#showAnew(), REFRESH_AFTER_MS);
  }

  /** Load the list, at the place where it is. */
  async #showAnew() {
    clearTimeout(this.#timer);
    clearTimeout(this.#refresh);
    this.#search.abort();
    this.#search = new AbortController();
    const html = await this.#load({}, this.#search.signal);
    if (html === null) return;
    const place = find("conversations", this.#root);
    const { scrollTop } = place;
    const focused = /** @type {any} */ (document.activeElement)?.closest("[data-card]")?.dataset.card;
    this.#list.show(html);
    place.scrollTop = scrollTop;
    if (focused) this.#list.focus(focused);
    const found = place.querySelector('[data-group="found"] h2, [data-list-empty]:not([hidden])');
    setText(find("search-status", this.#root), this.#query ? (found?.textContent ?? "") : "");
  }

  /** @param {Record<string, string>} query @param {AbortSignal} signal */
  async #load(query, signal) {
    const parameters = new URLSearchParams({ ...query, current: this.#options.current() ?? "" });
    if (this.#query) parameters.set("q", this.#query);
    else if (this.#isArchive) parameters.set("archived", "1");
    try {
      return await loadFragment(`${this.#options.urls.sidebar}?${parameters}`, signal);
    } catch {
      if (!signal.aborted) this.#options.toast(say("list_failed"));
      return null;
    }
  }

  /** @param {"POST" | "PATCH" | "DELETE"} method @param {string} path @param {unknown} [body] */
  #change(method, path, body) {
    const url = `${this.#options.urls.conversations}${path}`;
    return change(method, url, { csrfToken: this.#options.csrfToken(), body });
  }
}

/** Whether it was pinned or archived since it was drawn. @param {any} card @param {import("./protocol.js").Frame} frame */
function hasMoved(card, { is_pinned: isPinned, is_archived: isArchived }) {
  const differs = (/** @type {boolean | undefined} */ is, /** @type {string} */ name) =>
    is !== undefined && is !== card.hasAttribute(name);
  return differs(isPinned, "data-pinned") || differs(isArchived, "data-archived");
}
