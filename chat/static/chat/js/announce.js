/**
 * Speaks to screen readers: changes of stage and finished sentences, never single tokens.
 * Owns the one live region of the transcript.
 */

import { say } from "./texts.js";
import { stageOf } from "./stage_text.js";

const SENTENCE_END = /[.!?](?=\s)|[。！？]|\n/g;
const KEPT_LINES = 30;

/**
 * The part of `text` after `from` that ends with a sentence; empty while none is complete.
 * @param {string} text
 * @param {number} from UTF-16 index of what was spoken already
 * @returns {string}
 */
export function finishedSentences(text, from) {
  const rest = text.slice(from);
  let end = 0;
  for (const match of rest.matchAll(SENTENCE_END)) end = match.index + match[0].length;
  return rest.slice(0, end);
}

export class Announcer {
  #region;
  /** @type {Map<string, {stage: string, spoken: number, isOpen: boolean}>} */
  #known = new Map();

  /** @param {Element} region */
  constructor(region) {
    this.#region = region;
  }

  /** Say a line. @param {string} text */
  say(text) {
    if (!text.trim()) return;
    const line = this.#region.ownerDocument.createElement("p");
    line.textContent = text.trim();
    this.#region.append(line);
    while (this.#region.childElementCount > KEPT_LINES) this.#region.firstElementChild?.remove();
  }

  /** Say what is new about a reply. @param {import("./conversation_state.js").Reply} reply */
  hear(reply) {
    const known = this.#known.get(reply.id) ?? firstHeard(reply);
    if (!known.isOpen) return;
    // The place in the queue is news; percentages and rates are noise.
    const stage = reply.stage === "queued" ? `queued ${reply.position}` : reply.stage;
    if (reply.isOpen && stage && stage !== known.stage) {
      this.say(stageOf({ ...reply, done: null, etaS: null, rate: null }).text);
    }
    const isNew = reply.text.length > known.spoken;
    const news = reply.isOpen
      ? finishedSentences(reply.text, known.spoken)
      : reply.text.slice(known.spoken);
    if (isNew && news) this.say(news);
    if (!reply.isOpen) this.say(endWords(reply));
    const spoken = known.spoken + news.length;
    this.#known.set(reply.id, { stage, spoken, isOpen: reply.isOpen });
  }
}

/** What a reload shows already is not spoken again. @param {import("./conversation_state.js").Reply} reply */
function firstHeard({ text, isOpen }) {
  return { stage: "", spoken: text.length, isOpen };
}

/** @param {import("./conversation_state.js").Reply} reply @returns {string} */
function endWords({ error, finishReason }) {
  if (error) return say("answer_failed", { reason: error });
  const note = say(`end_${finishReason}`);
  return note.startsWith("end_") ? say("answer_finished") : note;
}
