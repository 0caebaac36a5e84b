/**
 * The answers that are still being written: stopped, resumed after a gap or a new connection, rendered
 * as far as they are complete, and brought into the page where another tab asked. Changes the state
 * through the rules only.
 */

import { BlockLoader } from "./block_loader.js";
import * as rules from "./conversation_state.js";
import { resumeFrame, stopFrame } from "./protocol.js";

export class OpenReplies {
  #loader;
  #blocks;
  #options;

  /**
   * @param {import("./turn_loader.js").TurnLoader} loader
   * @param {{state(): rules.State, update(state: rules.State): void,
   *   send(frame: import("./protocol.js").Frame): boolean, clock: import("./socket.js").Clock}} options
   */
  constructor(loader, options) {
    this.#loader = loader;
    this.#blocks = new BlockLoader({
      load: (id, offset, until) => loader.loadPart(id, offset, until),
      onPart: (id, part) => options.update(rules.addPart(options.state(), id, part)),
      clock: options.clock,
    });
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

  /** Hear of one that changed. @param {rules.Reply} reply @param {rules.Reply | undefined} before */
  hear(reply, before) {
    if (reply.hasGap && !before?.hasGap) this.resume(reply);
    this.#blocks.look(reply);
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
