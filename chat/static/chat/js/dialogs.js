/**
 * The dialogs for another title and before something goes for good. Owns their elements.
 */

import { find, on } from "./dom.js";

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

/** Ask before messages are deleted. @returns {Promise<boolean>} */
export function confirmDeletion() {
  return ask(find("delete-dialog"));
}
