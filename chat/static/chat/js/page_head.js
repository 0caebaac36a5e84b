/**
 * The page around the conversation: its address, its title, and the welcome while it is empty.
 */

import { find, on, setText } from "./dom.js";
import { say } from "./texts.js";
import { toast } from "./toasts.js";

/**
 * Show what has changed of the conversation's title, and leave it where it was deleted.
 * @param {{title: string, isDeleted: boolean}} now
 * @param {{title: string, isDeleted: boolean}} before
 * @param {string} home
 */
export function showHead(now, before, home) {
  if (now.title !== before.title) showTitle(now.title);
  if (!now.isDeleted || before.isDeleted) return;
  toast(say("deleted_elsewhere"));
  location.assign(home);
}

/** Show or hide what the empty page says. @param {boolean} isEmpty */
export function showWelcome(isEmpty) {
  find("welcome").hidden = !isEmpty;
}

/** Show a title in the page and on the tab. @param {string} title */
function showTitle(title) {
  const shown = title || say("untitled");
  setText(find("title"), shown);
  document.title = document.title.replace(/^.*(?= · )/, () => shown);
}

/** Give a new conversation its address. @param {string} home @param {string} conversation */
export function moveTo(home, conversation) {
  history.pushState(null, "", `${home}c/${conversation}/`);
  offerExport(find("export-menu"), conversation);
}

/** A menu of downloads does its work when one is chosen. @param {HTMLElement} menu */
export function closeWhenChosen(menu) {
  on(menu, "click", () => menu.hidePopover());
}

/** @param {HTMLElement} menu @param {string} conversation */
function offerExport(menu, conversation) {
  for (const link of menu.querySelectorAll("a")) {
    const file = `${menu.dataset.conversationsUrl}${conversation}/export/`;
    link.href = `${file}?format=${link.dataset.export}`;
  }
  menu.hidden = false;
}
