/**
 * The page around the conversation: its address, its title, and the welcome while it is empty.
 */

import { find, setText } from "./dom.js";
import { say } from "./texts.js";

/** Show or hide what the empty page says. @param {boolean} isEmpty */
export function showWelcome(isEmpty) {
  find("welcome").hidden = !isEmpty;
}

/** Show a title in the page and on the tab. @param {string} title */
export function showTitle(title) {
  const shown = title || say("untitled");
  setText(find("title"), shown);
  document.title = document.title.replace(/^.*(?= · )/, () => shown);
}

/** Give a new conversation its address. @param {string} home @param {string} conversation */
export function moveTo(home, conversation) {
  history.pushState(null, "", `${home}c/${conversation}/`);
}
