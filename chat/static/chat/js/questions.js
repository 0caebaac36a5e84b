/**
 * Questions on their way to the server: asked, sent, waiting, sent again, taken back.
 * Owns the outbox; changes the state through the rules only; knows no page.
 */

import * as rules from "./conversation_state.js";
import { makeId, messageFrame } from "./protocol.js";

/** @typedef {import("./protocol.js").Frame} Frame */

export class Questions {
  #outbox;
  #options;

  /**
   * @param {import("./outbox.js").Outbox} outbox
   * @param {{state(): rules.State, update(state: rules.State): void, send(frame: Frame): boolean}} options
   */
  constructor(outbox, options) {
    this.#outbox = outbox;
    this.#options = options;
  }

  /** Show what waited through a reload. @param {string | null} conversation */
  restore(conversation) {
    const here = this.#outbox.list().filter((turn) => turn.conversation === conversation);
    for (const turn of here) this.#update(rules.addQuestion(this.#state, turn));
  }

  /**
   * Ask a question, perhaps in place of another one.
   * @param {{text: string, images: string[], edits?: string | null,
   *   options?: import("./protocol.js").Options}} question
   */
  ask(question) {
    const turn = { id: makeId(), conversation: this.#state.conversation, edits: null, ...question };
    this.#outbox.add(turn);
    this.#update(rules.addQuestion(this.#state, turn));
    this.#send(turn.id);
  }

  /** Send a refused question once more. @param {string} id */
  sendAgain(id) {
    this.#outbox.add(this.#state.questions[id]);
    this.#send(id);
  }

  /**
   * Forget a question, to edit it.
   * @param {string} id
   * @returns {{text: string, images: string[]}}
   */
  takeBack(id) {
    const { text, images } = this.#state.questions[id];
    this.#outbox.remove(id);
    this.#update(rules.dropQuestion(this.#state, id));
    return { text, images };
  }

  /**
   * Send all that is not accepted. The server knows a client id that it accepted before, so a
   * repeat starts nothing.
   */
  sendAll() {
    for (const turn of this.#outbox.list()) {
      if (this.#state.questions[turn.id]) this.#send(turn.id);
      else this.#options.send(messageFrame(turn));
    }
  }

  /** Let all wait: the connection is gone. */
  wait() {
    for (const { id } of rules.pendingQuestions(this.#state)) {
      this.#update(rules.markQuestion(this.#state, id, "waiting"));
    }
  }

  /**
   * Hear what the server says about a question.
   * @param {Frame} frame
   * @returns {boolean} whether it was about one of these
   */
  hear(frame) {
    const isOurs = this.#outbox.list().some(({ id }) => id === frame.id);
    // Signed out: it stays, and is sent after the next sign-in.
    if (isOurs && frame.code !== "unauthenticated") this.#outbox.remove(frame.id);
    return isOurs;
  }

  get #state() {
    return this.#options.state();
  }

  /** @param {rules.State} state */
  #update(state) {
    this.#options.update(state);
  }

  /** @param {string} id */
  #send(id) {
    const isSent = this.#options.send(messageFrame(this.#state.questions[id]));
    this.#update(rules.markQuestion(this.#state, id, isSent ? "sent" : "waiting"));
  }
}
