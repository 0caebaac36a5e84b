/**
 * The buttons of questions and answers. Owns their listeners; decides nothing.
 */

import { find, onWithin } from "./dom.js";

/**
 * @typedef {{sendAgain(question: string): void, takeBack(question: string): void,
 *   regenerate(reply: string): void, goOn(reply: string): void,
 *   vary(reply: string, penalty: string): void,
 *   edit(question: {id: string, text: string, images: string[]}): void}} Actions
 */

/** Watch the transcript. @param {Element} list @param {Actions} actions */
export function watchMessageActions(list, actions) {
  onWithin(list, "click", "send-again", (button) => actions.sendAgain(questionIdOf(button)));
  onWithin(list, "click", "take-back", (button) => actions.takeBack(questionIdOf(button)));
  onWithin(list, "click", "regenerate", (button) => actions.regenerate(messageOf(button).dataset.message));
  onWithin(list, "click", "continue", (button) => actions.goOn(messageOf(button).dataset.message));
  onWithin(list, "click", "vary", (button) => {
    const { message, penalty } = messageOf(button).dataset;
    actions.vary(message, penalty ?? "");
  });
  onWithin(list, "click", "edit", (button) => actions.edit(questionOf(messageOf(button))));
}

/** @param {any} element @returns {{id: string, text: string, images: string[]}} */
function questionOf(element) {
  const pictures = [...element.querySelectorAll("[data-picture]")];
  return {
    id: element.dataset.message,
    text: find("text", element).textContent ?? "",
    images: pictures.map((picture) => picture.dataset.picture),
  };
}

/** @param {Element} element @returns {any} */
function messageOf(element) {
  return element.closest("[data-message]");
}

/** @param {Element} element @returns {string} */
function questionIdOf(element) {
  return /** @type {any} */ (element.closest("[data-question-id]")).dataset.questionId;
}
