/**
 * Offers to take back what was just done: a note with a button, and Ctrl+Z, for a while; the offer
 * to bring a deleted conversation back outlives the change to another page.
 * Owns the one offer there is.
 */

import { cloneTemplate, find, on, setText } from "./dom.js";

const KEY = "vl.undo";
const OFFERED_MS = 15_000;

/** @typedef {{text: string, conversation?: string, action?: string}} Offer `action` is what the button
 *   says, where it does not undo */

/** Ends the offer that stands. */
let withdraw = () => {};

/**
 * Offer to take something back.
 * @param {Offer} offer
 * @param {() => unknown} undo
 * @param {number} [shownMs]
 */
export function offerUndo(offer, undo, shownMs = OFFERED_MS) {
  withdraw();
  const note = cloneTemplate("undo");
  setText(find("undo-text", note), offer.text);
  if (offer.action) {
    setText(find("undo", note), offer.action);
    find("undo", note).removeAttribute("title");
  }
  remember(offer.conversation ? { ...offer, until: Date.now() + shownMs } : null);
  const end = () => {
    clearTimeout(timer);
    releases.forEach((release) => release());
    note.remove();
    remember(null);
    withdraw = () => {};
  };
  const take = () => {
    end();
    undo();
  };
  let timer = window.setTimeout(end, shownMs);
  // Who is about to press it has time.
  const wait = () => clearTimeout(timer);
  const goOn = () => (timer = window.setTimeout(end, shownMs));
  const releases = [
    on(find("undo", note), "click", take),
    on(note, "pointerenter", wait),
    on(note, "focusin", wait),
    on(note, "pointerleave", goOn),
    on(note, "focusout", goOn),
    on(document, "keydown", (event) => {
      if (offer.action || event.key !== "z" || !(event.ctrlKey || event.metaKey) || isTyping(event.target)) return;
      event.preventDefault();
      take();
    }),
  ];
  find("toasts").append(note);
  withdraw = end;
}

/**
 * Offer to bring a conversation back, on the next page alone: this one is about to be left.
 * @param {{text: string, conversation: string}} offer
 */
export function offerOnNextPage(offer) {
  remember({ ...offer, until: Date.now() + OFFERED_MS });
}

/** It was not deleted after all. */
export function withdrawFromNextPage() {
  remember(null);
}

/** The page changed since the offer: it stands here too. @param {(conversation: string) => unknown} undo */
export function restoreOffer(undo) {
  const offer = recall();
  const leftMs = offer ? offer.until - Date.now() : 0;
  if (offer && leftMs > 0) offerUndo(offer, () => undo(offer.conversation), leftMs);
}

/** @param {any} target */
function isTyping(target) {
  return Boolean(target.closest?.("input, textarea, [contenteditable]"));
}

/** @param {unknown} offer */
function remember(offer) {
  try {
    if (offer) sessionStorage.setItem(KEY, JSON.stringify(offer));
    else sessionStorage.removeItem(KEY);
  } catch {
    // It holds for this page.
  }
}

/** @returns {{text: string, conversation: string, until: number} | null} */
function recall() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}
