/**
 * What can be done with a conversation of the list: pin, rename, archive, delete, each undone in
 * one step. Owns the menu of the cards and its place.
 */

import { askTitle } from "./dialogs.js";
import { find, on, onWithin, setText } from "./dom.js";
import { say } from "./texts.js";
import { offerUndo, restoreOffer } from "./undo.js";

/**
 * @typedef {{change(method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<void>,
 *   onChanged(): void, onDeleted(id: string): void, toast(text: string): void}} Options
 */

const GAP_PX = 4;
const KEYS = new Map([["F2", "rename"], ["Delete", "delete"]]);

/**
 * Watch the list's cards.
 * @param {HTMLElement} list
 * @param {Options} options
 */
export function watchCardActions(list, options) {
  return new CardActions(list, options);
}

class CardActions {
  #options;
  #menu = find("card-menu");
  /** @type {any} the card that the menu is about */
  #card = null;

  /** @param {HTMLElement} list @param {Options} options */
  constructor(list, options) {
    this.#options = options;
    onWithin(list, "click", "card-more", (button) => this.#open(button));
    on(list, "keydown", (event) => this.#keyPressed(event));
    onWithin(this.#menu, "click", "card-action", ({ dataset }) => {
      this.#menu.hidePopover();
      this.#do(dataset.cardAction, this.#card);
    });
    restoreOffer(this.#bringBack);
  }

  /** @param {HTMLElement} button */
  #open(button) {
    const card = cardOf(button);
    this.#card = card;
    for (const [action, isOffered] of offersOf(card)) {
      this.#menu.querySelector(`[data-card-action="${action}"]`).hidden = !isOffered;
    }
    this.#menu.showPopover();
    placeBeside(this.#menu, button.getBoundingClientRect());
    this.#menu.querySelector("[data-card-action]:not([hidden])").focus();
  }

  /** @param {KeyboardEvent} event */
  #keyPressed(event) {
    const card = cardOf(/** @type {Element} */ (event.target));
    const action = KEYS.get(event.key);
    if (!card || !action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#do(action, card);
  }

  /** @param {string} action @param {any} card */
  async #do(action, card) {
    const id = card.dataset.card;
    const title = find("card-title", card).textContent;
    if (action === "rename") return this.#rename(card);
    if (action === "delete") return this.#delete(id, title);
    if (action === "pin" || action === "unpin") return this.#patch(id, { pinned: action === "pin" });
    const isArchived = action === "archive";
    if ((await this.#patch(id, { archived: isArchived })) && isArchived) {
      offerUndo({ text: say("archived", { title }) }, () => this.#patch(id, { archived: false }));
    }
    return undefined;
  }

  /** @param {any} card */
  async #rename(card) {
    const place = find("card-title", card);
    const before = place.textContent;
    const title = await askTitle(before);
    if (title === null) return;
    setText(place, title);
    await this.#options.change("PATCH", `${card.dataset.card}/`, { title }).catch(() => {
      setText(place, before);
      this.#options.toast(say("rename_failed"));
    });
  }

  /** @param {string} id @param {string} title */
  async #delete(id, title) {
    try {
      await this.#options.change("DELETE", `${id}/`);
    } catch {
      this.#options.toast(say("delete_failed"));
      return;
    }
    offerUndo({ text: say("deleted", { title }), conversation: id }, () => this.#bringBack(id));
    this.#options.onDeleted(id);
  }

  /** @param {string} id */
  #bringBack = async (id) => {
    try {
      await this.#options.change("POST", `${id}/restore/`);
      this.#options.onChanged();
    } catch {
      this.#options.toast(say("undo_failed"));
    }
  };

  /** @param {string} id @param {Record<string, boolean>} body @returns {Promise<boolean>} */
  async #patch(id, body) {
    try {
      await this.#options.change("PATCH", `${id}/`, body);
    } catch {
      this.#options.toast(say("change_failed"));
      return false;
    }
    this.#options.onChanged();
    return true;
  }
}

/** @param {any} card @returns {[string, boolean][]} */
function offersOf(card) {
  const isPinned = card.hasAttribute("data-pinned");
  const isArchived = card.hasAttribute("data-archived");
  return [
    ["pin", !isPinned && !isArchived],
    ["unpin", isPinned && !isArchived],
    ["archive", !isArchived],
    ["unarchive", isArchived],
  ];
}

/** Below the button, or above it where there is no room. @param {any} menu @param {DOMRect} rect */
function placeBeside(menu, rect) {
  const { offsetWidth, offsetHeight } = menu;
  const below = rect.bottom + GAP_PX;
  const isRoom = below + offsetHeight < window.innerHeight;
  const left = Math.min(rect.left, window.innerWidth - offsetWidth - GAP_PX);
  menu.style.top = `${Math.max(GAP_PX, isRoom ? below : rect.top - offsetHeight - GAP_PX)}px`;
  menu.style.left = `${Math.max(GAP_PX, left)}px`;
}

/** @param {Element} element @returns {any} */
function cardOf(element) {
  return element.closest("[data-card]");
}
