/**
 * Keys and buttons that lead to the composer. Owns nothing.
 */

import { find, on, onWithin } from "./dom.js";

/**
 * Follow `/`, the suggested questions and the example picture.
 * @param {{suggest(text: string): void, addPictures(files: File[]): void, focus(): void}} composer
 */
export function watchShortcuts(composer) {
  on(document, "keydown", (event) => {
    const isTyping = event.target.closest?.("input, textarea, dialog, [contenteditable]");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    composer.focus();
  });
  const welcome = find("welcome");
  onWithin(welcome, "click", "suggestion", (button) => composer.suggest(button.textContent.trim()));
  onWithin(welcome, "click", "example-picture", async (button) => {
    const response = await fetch(button.dataset.src);
    const blob = await response.blob();
    composer.addPictures([new File([blob], button.dataset.name, { type: "image/png" })]);
  });
}
