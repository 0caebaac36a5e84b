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
  const place = find("toasts");
  place.querySelector(".toast:not(.toast--undo)")?.remove(); // what is offered stays
  place.append(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}
