/**
 * The virtual keyboard where the browser lays it over the page instead of making room for it (iOS):
 * the page becomes as high as what is seen of it, so that the composer stays in sight.
 * Owns `--seen-height` of the root element.
 */

import { on } from "./dom.js";

// Bars of the browser that come and go are lower; `dvh` follows them by itself.
const LOWEST_KEYBOARD_PX = 100;
// Somebody who enlarges the page by fingers sees less of it, too.
const LARGEST_SCALE = 1.05;

/**
 * How high the page is to be; null where it may be as high as the window.
 * @param {{height: number, scale: number}} seen what is seen of the page
 * @param {number} windowHeight
 * @returns {number | null}
 */
export function seenHeight({ height, scale }, windowHeight) {
  const isCovered = scale < LARGEST_SCALE && windowHeight - height >= LOWEST_KEYBOARD_PX;
  return isCovered ? Math.floor(height) : null;
}

/** Follow the keyboard. */
export function watchKeyboard() {
  const seen = window.visualViewport;
  if (!seen) return;
  on(seen, "resize", () => {
    const { style } = document.documentElement;
    const height = seenHeight(seen, window.innerHeight);
    if (height === null) {
      style.removeProperty("--seen-height");
      return;
    }
    style.setProperty("--seen-height", `${height}px`);
    window.scrollTo(0, 0); // The browser has moved the page up to show the field.
  });
}
