/**
 * Asks the server for the complete blocks of the answers being written, rendered: when one seems to
 * have ended, one question at a time for each answer, and not too often. Owns the questions and
 * their timers; what is shown meanwhile, and whatever comes of a question, is text.
 */

import { OpenBlock } from "./open_block.js";

/**
 * @typedef {import("./conversation_state.js").Reply} Reply
 * @typedef {import("./reply_blocks.js").Part} Part
 * @typedef {{reply: Reply, from: number, readTo: number, block: OpenBlock, minChars: number,
 *   timer: any, isAsking: boolean, pauseMs: number, nextAt: number}} Progress `from` and `readTo`
 *   are UTF-16 offsets; below `minChars` of open text nothing is asked
 */

export const PAUSE_MS = 400;
export const LONGEST_PAUSE_MS = 30_000;
// After a wrong guess the open text has to grow by this: guesses cost no more than the text, all in all.
export const GROWTH = 1.25;

export class BlockLoader {
  #options;
  /** @type {Map<string, Progress>} */
  #progress = new Map();

  /**
   * @param {{load(reply: string, offset: number, until: number): Promise<Part>,
   *   onPart(reply: string, part: Part): void, clock: import("./socket.js").Clock}} options offsets in
   *   code points
   */
  constructor(options) {
    this.#options = options;
  }

  /** Look at what is new of a reply. @param {Reply} reply */
  look(reply) {
    if (!reply.isOpen) {
      this.#forget(reply.id);
      return;
    }
    const progress = this.#read(reply);
    const isDue = progress.block.hasEnded && reply.text.length - progress.from >= progress.minChars;
    if (!isDue || progress.isAsking || progress.timer !== null) return;
    const { clock } = this.#options;
    const ask = () => this.#ask(progress);
    progress.timer = clock.setTimeout(ask, Math.max(0, progress.nextAt - clock.now()));
  }

  /** @param {string} id */
  #forget(id) {
    const progress = this.#progress.get(id);
    if (progress?.timer) this.#options.clock.clearTimeout(progress.timer);
    this.#progress.delete(id);
  }

  /** @param {Reply} reply @returns {Progress} */
  #read(reply) {
    const from = reply.blocks.at(-1)?.at ?? 0;
    const known = this.#progress.get(reply.id) ?? {
      ...{ timer: null, isAsking: false, pauseMs: PAUSE_MS, nextAt: 0 },
      ...{ reply, from, readTo: from, block: new OpenBlock(), minChars: 0 },
    };
    this.#progress.set(reply.id, known);
    const isElsewhere = from !== known.from || reply.text.length < known.readTo;
    if (isElsewhere) Object.assign(known, { from, readTo: from, block: new OpenBlock(), minChars: 0 });
    known.reply = reply;
    known.block.read(reply.text.slice(known.readTo));
    known.readTo = reply.text.length;
    return known;
  }

  /** @param {Progress} progress */
  async #ask(progress) {
    const { load, onPart, clock } = this.#options;
    const { id, blocks, length, text } = progress.reply;
    Object.assign(progress, { timer: null, isAsking: true });
    const part = await load(id, blocks.at(-1)?.end ?? 0, length).catch(() => null);
    if (this.#progress.get(id) !== progress) return; // It has ended meanwhile.
    progress.isAsking = false;
    progress.pauseMs = part ? PAUSE_MS : Math.min(2 * progress.pauseMs, LONGEST_PAUSE_MS);
    progress.nextAt = clock.now() + progress.pauseMs;
    if (part && part.end > part.offset) onPart(id, part);
    else if (part) progress.minChars = GROWTH * (text.length - progress.from);
    this.look(progress.reply);
  }
}
