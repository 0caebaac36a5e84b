/**
 * Brings long tables into the page in slices: a browser lays a table out in one go, and hundreds of
 * rows at once would be felt. Owns the rows that are still to come; until its last one is there, a
 * table is `aria-busy`, and then tells it by a `whole` event.
 */

import { on } from "./dom.js";

export const SLICE_ROWS = 40;

/** @type {{home: HTMLTableSectionElement, rows: Element[]}[]} */
const held = [];
let isBringing = false;

/**
 * Take what is beyond the first slice out of the tables of a text that is not in the page yet; it
 * comes back by itself, a slice a frame.
 * @param {ParentNode} text
 */
export function holdRows(text) {
  let room = SLICE_ROWS;
  for (const home of text.querySelectorAll("tbody")) {
    const rows = [...home.rows].slice(room);
    room -= home.rows.length - rows.length;
    if (rows.length === 0) continue;
    for (const row of rows) row.remove();
    home.parentElement?.setAttribute("aria-busy", "true");
    held.push({ home, rows });
  }
  if (isBringing || held.length === 0) return;
  isBringing = true;
  requestAnimationFrame(bringSlice);
}

/** Bring everything at once: it is about to be copied or printed. */
export function bringAllRows() {
  bring(Infinity);
}

function bringSlice() {
  bring(SLICE_ROWS);
  isBringing = held.length > 0;
  if (isBringing) requestAnimationFrame(bringSlice);
}

/** @param {number} count */
function bring(count) {
  for (let left = count; left > 0 && held.length > 0; ) {
    const { home, rows } = held[0];
    const slice = rows.splice(0, left);
    home.append(...slice);
    left -= slice.length;
    if (rows.length > 0) return;
    held.shift();
    home.parentElement?.removeAttribute("aria-busy");
    home.dispatchEvent(new CustomEvent("whole", { bubbles: true }));
  }
}

on(globalThis, "beforeprint", bringAllRows);
