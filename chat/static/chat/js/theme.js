/**
 * Light, dark, or as the system has it: kept in this browser. Owns `data-theme` of the page.
 */

import { onWithin } from "./dom.js";

const KEY = "vl.theme";

/** Show the stored choice and follow the buttons. @param {Element} root */
export function watchTheme(root) {
  draw(root);
  onWithin(root, "click", "theme-value", (button) => {
    const theme = button.dataset.themeValue;
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // It holds for this page.
    }
    draw(root);
  });
}

/** @param {Element} root */
function draw(root) {
  const theme = document.documentElement.dataset.theme ?? "auto";
  for (const button of root.querySelectorAll("[data-theme-value]")) {
    const isChosen = /** @type {HTMLElement} */ (button).dataset.themeValue === theme;
    button.setAttribute("aria-pressed", String(isChosen));
  }
}
