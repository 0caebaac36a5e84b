/**
 * Keys that lead everywhere, the sheet that lists them, and the examples of the empty page.
 * Presses the page's own buttons; owns the sheet and whether single keys count.
 */

import { find, on, onWithin } from "./dom.js";

const KEY = "vl.single-keys";

/** @typedef {{suggest(text: string): void, addPictures(files: File[]): void, focus(): void}} Composer */

/**
 * Follow the keys, the suggested questions and the example picture.
 * @param {Composer} composer
 */
export function watchShortcuts(composer) {
  const sheet = find("shortcuts");
  watchSheet(sheet);
  /** @type {Record<string, () => void>} */
  const actions = {
    "?": () => sheet.showModal(),
    "/": () => composer.focus(),
    n: () => find("new-conversation").click(),
    s: search,
    j: () => goTo(1),
    k: () => goTo(-1),
    b: () => find("sidebar-toggle").click(),
    x: () => press("[data-stop]"),
    c: () => press('[data-role="assistant"][data-message] [data-copy-answer]'),
    e: () => press('[data-role="user"][data-message] [data-edit]'),
  };
  on(document, "keydown", (event) => {
    const action = actionOf(event, actions);
    if (!action || isBusy(event.target)) return;
    event.preventDefault();
    action();
  });
  watchWelcome(composer);
}

/** @param {HTMLDialogElement} sheet */
function watchSheet(sheet) {
  const choice = find("single-keys", sheet);
  choice.checked = isWanted();
  on(choice, "change", () => {
    try {
      localStorage.setItem(KEY, choice.checked ? "on" : "off");
    } catch {
      // It holds for this page.
    }
  });
  onWithin(document.body, "click", "show-shortcuts", () => sheet.showModal());
}

/** @param {KeyboardEvent} event @param {Record<string, () => void>} actions */
function actionOf(event, actions) {
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (isPlain) return hasSingleKeys() ? actions[event.key] : undefined;
  return (event.ctrlKey || event.metaKey) && event.key === "k" ? search : undefined;
}

/** Who types, or is asked something, means what they type. @param {any} target */
function isBusy(target) {
  const isTyping = target.closest?.("input, textarea, select, [contenteditable]");
  return Boolean(isTyping || document.querySelector("dialog[open], :popover-open"));
}

/** Some who speak to their computer would press single keys unawares: they can be switched off. */
function hasSingleKeys() {
  return find("single-keys").checked;
}

function isWanted() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

function search() {
  const field = find("search");
  if (field.closest("[inert]")) find("sidebar-toggle").click();
  field.focus();
  field.select();
}

/** Open the conversation below or above the shown one. @param {number} step */
function goTo(step) {
  const cards = [...document.querySelectorAll("[data-conversations] [data-card-link]")];
  const shown = cards.findIndex((link) => link.ariaCurrent === "page");
  const wanted = cards[shown < 0 ? 0 : shown + step];
  if (wanted) /** @type {HTMLElement} */ (wanted).click();
}

/** Press the last of these buttons that is to be seen. @param {string} selector */
function press(selector) {
  const buttons = [...document.querySelectorAll(selector)];
  const button = buttons.findLast((one) => one.checkVisibility() && !(/** @type {any} */ (one).disabled));
  if (button) /** @type {HTMLElement} */ (button).click();
}

/** @param {Composer} composer */
function watchWelcome(composer) {
  const welcome = find("welcome");
  onWithin(welcome, "click", "suggestion", (button) => composer.suggest(button.textContent.trim()));
  onWithin(welcome, "click", "example-picture", async (button) => {
    const response = await fetch(button.dataset.src);
    const blob = await response.blob();
    composer.addPictures([new File([blob], button.dataset.name, { type: "image/png" })]);
  });
}
