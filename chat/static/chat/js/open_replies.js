/**
 * The answers that are still being written: stopped, resumed after a gap or a new connection, and
 * brought into the page where another tab asked. Changes the state through the rules only.
 */

import * as rules from "./conversation_state.js";
import { resumeFrame, stopFrame } from "./protocol.js";

export class OpenReplies {
  #loader;
  #options;

  /**
   * @param {import("./turn_loader.js").TurnLoader} loader
   * @param {{state(): rules.State, update(state: rules.State): void,
   *   send(frame: import("./protocol.js").Frame): boolean}} options
   */
  constructor(loader, options) {
    this.#loader = loader;
    this.#options = options;
  }

  /** Stop all, keeping what was read of them. */
  stopAll() {
    for (const reply of this.#all) this.#options.send(stopFrame(reply.id, reply.length));
  }

  /** Ask for what was missed of all. */
  resumeAll() {
    for (const reply of this.#all) this.resume(reply);
  }

  /** Ask for what was missed of one. @param {rules.Reply} reply */
  resume(reply) {
    this.#options.send(resumeFrame(reply.id, reply.length));
  }

  /** Bring the turn that another tab started into the page. */
  async loadUnseen() {
    const { state, update } = this.#options;
    const turn = rules.turnToLoad(state());
    const { conversation } = state();
    if (!turn || !conversation) return;
    const reply = await this.#loader.load(conversation, turn);
    if (!reply) return;
    update(rules.addReply(state(), turn.reply, reply));
    if (reply.isOpen) this.resume(state().replies[turn.reply]);
  }

  get #all() {
    return rules.openReplies(this.#options.state());
  }
}
