/**
 * Short notes that go by themselves. Owns their elements and timers.
 */

import { find } from "./dom.js";

const SHOWN_MS = 4000;

/** Show a note. @param {string} text */
export function toast(text) {
  const note = document.createElement("p");
  note.className = "toast";
  note.textContent = text;
  find("toasts").replaceChildren(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}
