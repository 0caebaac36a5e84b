/**
 * Puts questions and answers into the transcript. Owns the messages' elements; reads the state
 * and never changes it. What stands in an answer is answer_view's and answer_body's.
 */

import { finishBody } from "./answer_body.js";
import { drawEnd, drawLive } from "./answer_view.js";
import { cloneTemplate, find, setText } from "./dom.js";
import { say } from "./texts.js";

/**
 * @typedef {import("./conversation_state.js").Question} Question
 * @typedef {import("./conversation_state.js").Reply} Reply
 */

export class MessageView {
  #list;
  #imagesUrl;
  /** @type {Map<string, Reply>} */
  #drawn = new Map();
  #isFocusDue = false;

  /** @param {Element} list @param {string} imagesUrl */
  constructor(list, imagesUrl) {
    this.#list = list;
    this.#imagesUrl = imagesUrl;
    finish(list);
  }

  /** The element of a message or of a question not accepted yet. @param {string} id @returns {any} */
  elementOf(id) {
    return this.#list.querySelector(`[data-message="${CSS.escape(id)}"]`);
  }

  /** The last message of the transcript. @returns {any} */
  get last() {
    return this.#list.lastElementChild;
  }

  /** Add a message that the server drew. @param {HTMLElement} element */
  append(element) {
    finish(element);
    this.#place(element);
  }

  /** Show a message as the server drew it anew. @param {Element} known @param {HTMLElement} element */
  replace(known, element) {
    const hadFocus = known.contains(document.activeElement);
    finish(element);
    known.replaceWith(element);
    if (hadFocus) focusMessage(element);
  }

  /**
   * Let nothing stand behind a message: what comes next hangs on it.
   * @param {string | undefined} id undefined: on nothing, it is another first question
   * @returns {boolean} whether the message is here
   */
  makeLast(id) {
    const last = id === undefined ? null : this.elementOf(id);
    if (id !== undefined && !last) return false;
    const hadFocus = this.#list.contains(document.activeElement);
    while (this.last && this.last !== last) this.last.remove();
    // The pressed button went with its answer: the keys go on from the one in its place.
    this.#isFocusDue = hadFocus && !this.#list.contains(document.activeElement);
    return true;
  }

  /** While an answer is written, what stands before it is not changed. @param {boolean} isAnswering */
  showAnswering(isAnswering) {
    this.#list.toggleAttribute("data-answering", isAnswering);
  }

  /** Show a question with where it stands. @param {Question} question */
  drawQuestion(question) {
    const isAccepted = question.status === "accepted";
    const pending = this.#pendingElement(question.id);
    const isDrawn = isAccepted && this.elementOf(/** @type {string} */ (question.message));
    if (isDrawn || (isAccepted && question.edits)) {
      pending?.remove(); // The server draws it, or did before its acceptance was heard.
      return;
    }
    const element = pending ?? this.#addQuestion(question);
    element.dataset.status = question.status;
    const note = find("pending", element);
    note.hidden = isAccepted;
    setText(find("pending-text", element), pendingWords(question));
    find("send-again", element).hidden = question.status !== "refused";
    find("take-back", element).hidden = question.status === "sent" || isAccepted;
    if (isAccepted) {
      element.dataset.message = question.message;
      delete element.dataset.question;
    }
  }

  /** Take a question's element away. @param {string} id */
  removeQuestion(id) {
    this.#pendingElement(id)?.remove();
  }

  /** Show a reply as it stands. @param {Reply} reply */
  drawReply(reply) {
    const before = this.#drawn.get(reply.id);
    if (before === reply) return;
    this.#drawn.set(reply.id, reply);
    const known = this.elementOf(reply.id);
    if (known && !before && !reply.isOpen) return; // The server drew it whole.
    const element = known ?? this.#addAnswer(reply.id);
    if (reply.isOpen) drawLive(element, reply);
    else if (before?.isOpen !== false) drawEnd(element, reply);
  }

  /** @param {string} id @returns {any} */
  #pendingElement(id) {
    return this.#list.querySelector(`[data-question-id="${CSS.escape(id)}"]`);
  }

  /** @param {Question} question @returns {any} */
  #addQuestion(question) {
    if (question.edits) this.makeLast(this.elementOf(question.edits)?.dataset.parent || undefined);
    const element = cloneTemplate("question");
    element.dataset.questionId = question.id;
    setText(find("text", element), question.text);
    const pictures = find("pictures", element);
    for (const id of question.images) pictures.append(this.#picture(id));
    pictures.hidden = question.images.length === 0;
    this.#list.append(element);
    return element;
  }

  /** @param {string} id @returns {Element} */
  #picture(id) {
    const item = cloneTemplate("picture");
    const button = find("picture", item);
    button.dataset.picture = id;
    button.dataset.full = `${this.#imagesUrl}${id}/?size=full`;
    const image = button.querySelector("img");
    image.removeAttribute("width");
    image.removeAttribute("height");
    image.src = `${this.#imagesUrl}${id}/?size=thumb`;
    return item;
  }

  /** @param {string} id @returns {any} */
  #addAnswer(id) {
    const element = cloneTemplate("answer");
    element.dataset.message = id;
    element.dataset.state = "running";
    element.setAttribute("aria-busy", "true");
    this.#place(element);
    return element;
  }

  /** @param {HTMLElement} element */
  #place(element) {
    this.#list.append(element);
    if (this.#isFocusDue) focusMessage(element);
    this.#isFocusDue = false;
  }
}

/** Let the keys go on from a message. @param {HTMLElement} element */
function focusMessage(element) {
  element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

/** @param {Element} drawn what the server drew: one message or all of them */
function finish(drawn) {
  for (const body of drawn.querySelectorAll("[data-body]")) finishBody(body);
}

/** @param {Question} question @returns {string} */
function pendingWords({ status, error }) {
  if (status === "refused") return error;
  return say(status === "waiting" ? "question_waiting" : "question_sending");
}
