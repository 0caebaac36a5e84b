/**
 * Which branch of the conversation is shown, and what is cut off of it. Owns the listeners of the
 * arrows and of "Delete"; the server draws the branch.
 */

import { ApiError, change } from "./api.js";
import { confirmDeletion } from "./dialogs.js";
import { find, onWithin } from "./dom.js";
import { say } from "./texts.js";
import { offerOnNextPage, withdrawFromNextPage } from "./undo.js";

/**
 * @typedef {{urls: {api: string, conversations: string, home: string}, conversation(): string | null,
 *   csrfToken(): string, toast(text: string): void}} Wiring
 */

/** Watch the transcript. @param {Element} list @param {Wiring} wiring */
export function watchBranches(list, wiring) {
  onWithin(list, "click", "sibling", (button) => show(button.dataset.sibling, wiring));
  onWithin(list, "click", "delete", (button) => remove(button.closest("[data-message]"), wiring));
}

/**
 * Another tab may have deleted what is shown here.
 * @param {Element} list
 * @param {import("./protocol.js").Frame} frame a conversation's card
 */
export function followDeletion(list, { deleted_message: deleted }) {
  if (deleted && list.querySelector(`[data-message="${deleted}"]`)) location.reload();
}

/** @param {string} leaf its first message that is not shown @param {Wiring} wiring */
async function show(leaf, { urls, conversation, csrfToken, toast }) {
  try {
    await change("PATCH", `${urls.conversations}${conversation()}/`, { csrfToken: csrfToken(), body: { leaf } });
    location.reload();
  } catch {
    toast(say("change_failed"));
  }
}

/** @param {any} message @param {Wiring} wiring */
async function remove(message, { urls, conversation, csrfToken, toast }) {
  const id = message.dataset.message;
  if (!id || !(await confirmDeletion())) return;
  // Before it is deleted: the socket may tell so, and lead away, before the call has an answer.
  if (isAll(message)) offerOnNextPage({ text: titled("deleted"), conversation: conversation() ?? "" });
  try {
    const left = await change("DELETE", `${urls.api}messages/${id}/`, { csrfToken: csrfToken() });
    if (left.conversation) reload();
    else location.assign(urls.home);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) reload(); // gone meanwhile, elsewhere
    else toast(say("delete_failed"));
  }
}

/** The conversation is still there. */
function reload() {
  withdrawFromNextPage();
  location.reload();
}

/** Whether it is the only first question: with it the conversation goes. @param {any} message */
function isAll(message) {
  const isFirst = !message.dataset.parent && message === message.parentElement.firstElementChild;
  return isFirst && !message.querySelector("[data-sibling]");
}

/** @param {string} text */
function titled(text) {
  return say(text, { title: find("title").textContent ?? "" });
}
