/**
 * Draws an answer into its element: while it is written, and as it ended. Owns nothing.
 */

import { growBody, settleBody } from "./answer_body.js";
import { find, setText } from "./dom.js";
import { stageOf } from "./stage_text.js";
import { number, say } from "./texts.js";

/** @typedef {import("./conversation_state.js").Reply} Reply */

/**
 * Show how far an answer is.
 * @param {any} element
 * @param {Reply} reply
 */
export function drawLive(element, reply) {
  element.dataset.state = "running";
  element.setAttribute("aria-busy", "true");
  const { text, percent } = stageOf(reply);
  find("stage", element).hidden = false;
  find("note", element).hidden = true;
  setText(find("stage-text", element), text);
  const bar = find("stage-bar", element);
  bar.hidden = percent === null;
  if (percent !== null) bar.value = percent;
  growBody(find("body", element), reply);
}

/**
 * Show an answer that has ended.
 * @param {any} element
 * @param {Reply} reply
 */
export function drawEnd(element, reply) {
  element.dataset.state = reply.error ? "failed" : "done";
  element.removeAttribute("aria-busy");
  find("stage", element).hidden = true;
  if (reply.html !== null) settleBody(find("body", element), reply.html);
  drawNote(element, reply.finishReason);
  find("failure", element).hidden = !reply.error;
  setText(find("failure-text", element), reply.error);
  find("answer-footer", element).hidden = Boolean(reply.error) && !reply.text;
  drawStatistics(element, reply);
}

/** Say why it ended, where that is not plain, and what can be done. @param {Element} element @param {string} reason */
function drawNote(element, reason) {
  const note = say(`end_${reason}`);
  const hasNote = !note.startsWith("end_");
  const isLoop = reason === "repetition";
  find("note", element).hidden = !hasNote;
  setText(find("note-text", element), hasNote ? note : "");
  setText(find("continue", element), say(isLoop ? "go_on_anyway" : "go_on"));
  find("vary", element).hidden = !isLoop;
}

/** @param {Element} element @param {Reply} reply */
function drawStatistics(element, { model, isDemo, usage, timings }) {
  find("demo", element).hidden = !isDemo;
  find("statistics", element).hidden = !model;
  const { prompt_tokens: prompt = 0, cached_tokens: cached = 0 } = usage;
  /** @type {Record<string, string>} */
  const values = {
    tokens: number(usage.completion_tokens ?? 0),
    first_token: say("seconds", { seconds: number((timings.first_token_ms ?? 0) / 1000, 2) }),
    rate: number(timings.tokens_per_s ?? 0, 1),
    cached: say("part_of", { part: number(cached), whole: number(prompt) }),
    model,
  };
  for (const place of element.querySelectorAll("[data-stat]")) {
    place.textContent = values[/** @type {HTMLElement} */ (place).dataset.stat ?? ""];
  }
  const isRemembered = Boolean(usage.image_tokens && timings.total_ms && !timings.vision_ms);
  find("remembered", element).hidden = !isRemembered;
}
