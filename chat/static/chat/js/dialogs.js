/**
 * The dialogs: rename, delete, and the picture in full. Owns their elements.
 */

import { find, on, onWithin, setText } from "./dom.js";
import { say } from "./texts.js";

/**
 * Open a dialog and wait for its end.
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<boolean>} whether it was confirmed
 */
function ask(dialog) {
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((resolve) => {
    on(dialog, "close", () => resolve(dialog.returnValue === "ok"), { once: true });
  });
}

/**
 * Ask for a new title.
 * @param {string} title
 * @returns {Promise<string | null>} null when nothing is to change
 */
export async function askTitle(title) {
  const dialog = find("rename-dialog");
  const input = find("rename-input", dialog);
  input.value = title;
  const answer = ask(dialog);
  input.select();
  const isConfirmed = await answer;
  const wanted = input.value.trim();
  return isConfirmed && wanted && wanted !== title ? wanted : null;
}

/**
 * Ask whether a conversation is to go.
 * @param {string} title
 * @returns {Promise<boolean>}
 */
export function askDelete(title) {
  const dialog = find("delete-dialog");
  setText(find("delete-title", dialog), say("delete_question", { title }));
  return ask(dialog);
}

/** Open a picture in full. @param {string} url */
export function openPicture(url) {
  find("lightbox-image").src = url;
  find("lightbox").showModal();
}

/**
 * Open pictures of the transcript in full when they are clicked.
 * @param {Element} list
 */
export function watchPictures(list) {
  const dialog = find("lightbox");
  const image = find("lightbox-image", dialog);
  onWithin(list, "click", "picture", (button) => openPicture(button.dataset.full));
  // Anything but the picture closes it; the browser gives the focus back to the thumbnail.
  on(dialog, "click", (event) => event.target !== image && dialog.close());
  on(dialog, "close", () => image.removeAttribute("src"));
}
