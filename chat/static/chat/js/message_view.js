/**
 * Draws questions and answers into the transcript. Owns the messages' elements; reads the state
 * and never changes it.
 */

import { cloneTemplate, find, setText } from "./dom.js";
import { placeHtml } from "./html.js";
import { stageOf } from "./stage_text.js";
import { number, say } from "./texts.js";

/**
 * @typedef {import("./conversation_state.js").Question} Question
 * @typedef {import("./conversation_state.js").Reply} Reply
 */

export class MessageView {
  #list;
  #imagesUrl;
  /** @type {Map<string, Reply>} */
  #drawn = new Map();

  /** @param {Element} list @param {string} imagesUrl */
  constructor(list, imagesUrl) {
    this.#list = list;
    this.#imagesUrl = imagesUrl;
    for (const body of list.querySelectorAll("[data-body]")) addCopyButtons(body);
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
    for (const body of element.querySelectorAll("[data-body]")) addCopyButtons(body);
    this.#list.append(element);
  }

  /**
   * Let nothing stand behind a message: what comes next hangs on it.
   * @param {string | undefined} id undefined: on nothing, it is another first question
   * @returns {boolean} whether the message is here
   */
  makeLast(id) {
    const last = id === undefined ? null : this.elementOf(id);
    if (id !== undefined && !last) return false;
    while (this.last && this.last !== last) this.last.remove();
    return true;
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
    if (reply.isOpen) this.#drawLive(element, reply);
    else if (before?.isOpen !== false) this.#drawEnd(element, reply);
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
    this.#list.append(element);
    return element;
  }

  /** @param {any} element @param {Reply} reply */
  #drawLive(element, reply) {
    element.dataset.state = "running";
    element.setAttribute("aria-busy", "true");
    const { text, percent } = stageOf(reply);
    find("stage", element).hidden = false;
    find("note", element).hidden = true;
    setText(find("stage-text", element), text);
    const bar = find("stage-bar", element);
    bar.hidden = percent === null;
    if (percent !== null) bar.value = percent;
    growText(find("body", element), reply.text);
  }

  /** @param {any} element @param {Reply} reply */
  #drawEnd(element, reply) {
    element.dataset.state = reply.error ? "failed" : "done";
    element.removeAttribute("aria-busy");
    find("stage", element).hidden = true;
    const body = find("body", element);
    if (reply.html !== null) {
      placeHtml(body, reply.html);
      addCopyButtons(body);
    }
    const note = say(`end_${reply.finishReason}`);
    const hasNote = !note.startsWith("end_");
    find("note", element).hidden = !hasNote;
    setText(find("note-text", element), hasNote ? note : "");
    find("failure", element).hidden = !reply.error;
    setText(find("failure-text", element), reply.error);
    find("answer-footer", element).hidden = Boolean(reply.error) && !reply.text;
    drawStatistics(element, reply);
  }
}

/** @param {Question} question @returns {string} */
function pendingWords({ status, error }) {
  if (status === "refused") return error;
  return say(status === "waiting" ? "question_waiting" : "question_sending");
}

/**
 * Append what is new instead of writing the whole text: a selection in it survives, and a long
 * answer costs no more than a short one.
 * @param {Element} body @param {string} text
 */
function growText(body, text) {
  const node = body.firstChild;
  const shown = body.textContent ?? "";
  // What the server drew on a reload can be ahead of what has come over the socket.
  if (shown.length >= text.length && shown.startsWith(text)) return;
  if (node instanceof Text && body.childNodes.length === 1 && text.startsWith(node.data)) {
    node.appendData(text.slice(node.length));
  } else {
    body.textContent = text;
  }
}

/** @param {Element} element @param {Reply} reply */
function drawStatistics(element, { model, isDemo, usage, timings }) {
  find("demo", element).hidden = !isDemo;
  find("statistics", element).hidden = !model;
  /** @type {Record<string, string>} */
  const values = {
    tokens: number(usage.completion_tokens ?? 0),
    first_token: say("seconds", { seconds: number((timings.first_token_ms ?? 0) / 1000, 2) }),
    rate: number(timings.tokens_per_s ?? 0, 1),
    model,
  };
  for (const place of element.querySelectorAll("[data-stat]")) {
    place.textContent = values[/** @type {HTMLElement} */ (place).dataset.stat ?? ""];
  }
}

/** @param {Element} body */
function addCopyButtons(body) {
  for (const block of body.querySelectorAll("pre")) {
    if (block.parentElement?.classList.contains("code-block")) continue;
    const frame = document.createElement("div");
    frame.className = "code-block";
    block.replaceWith(frame);
    frame.append(block, cloneTemplate("copy-code"));
  }
}
