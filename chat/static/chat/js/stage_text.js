/**
 * The line above an answer that is being written, and the model's banner: state in, words out.
 * Knows no page.
 */

import { number, say } from "./texts.js";

/** @typedef {import("./conversation_state.js").Reply} Reply */

/**
 * What an open reply is busy with.
 * @param {Reply} reply
 * @returns {{text: string, percent: number | null}}
 */
export function stageOf(reply) {
  const percent = reply.stage === "decode" ? null : percentOf(reply.done, reply.total);
  const parts = [stageWords(reply)];
  if (percent !== null) parts.push(say("percent", { percent }));
  if (reply.stage === "decode" && reply.rate !== null) {
    parts.push(say("tokens_per_s", { rate: number(reply.rate, 1) }));
  }
  if (reply.stage !== "decode" && reply.etaS !== null && reply.etaS >= 2) {
    parts.push(say("seconds_left", { seconds: Math.round(reply.etaS) }));
  }
  if (reply.isResumed) parts.push(say("taken_over"));
  return { text: parts.join(" · ").replace("… · ", "… "), percent };
}

/** @param {Reply} reply @returns {string} */
function stageWords({ stage, position, imageCount }) {
  if (stage === "queued") {
    if (position === null) return say("stage_waiting");
    return position <= 1 ? say("stage_next") : say("stage_queued", { position });
  }
  if (stage === "vision") {
    return imageCount > 1 ? say("stage_vision_many", { count: imageCount }) : say("stage_vision_one");
  }
  return say(stage ? `stage_${stage}` : "stage_waiting");
}

/**
 * The banner about the model; null while there is nothing to say.
 * @param {import("./protocol.js").Frame | null} info
 * @returns {{text: string, isWrong: boolean} | null}
 */
export function bannerOf(info) {
  if (!info) return null;
  const { phase = "ready", upcoming, done, total, message } = info.state ?? {};
  if (phase === "failed") {
    const reason = message || say("model_failed_log");
    return { text: say("model_failed", { reason }), isWrong: true };
  }
  const percent = percentOf(done, total) ?? 0;
  const isBusy = phase !== "ready";
  if (info.demo) return { text: demoWords(upcoming, isBusy, percent, total), isWrong: false };
  if (!isBusy) return null;
  const model = shortName(upcoming || info.model);
  const isDownloading = phase === "downloading";
  const text = isDownloading ? say("model_downloading", { model, percent }) : say("model_loading");
  return { text, isWrong: false };
}

/** @param {string | null} upcoming @param {boolean} isBusy @param {number} percent @param {number} total */
function demoWords(upcoming, isBusy, percent, total) {
  if (!upcoming) return isBusy ? say("model_loading") : say("demo_answers");
  const model = shortName(upcoming);
  if (percent === 100) return say("demo_loading", { model });
  return total ? say("demo_downloading", { model, percent }) : say("demo_upcoming", { model });
}

/** @param {string} model @returns {string} */
function shortName(model) {
  return model.split("/").pop() || model;
}

/** @param {number | null | undefined} done @param {number | null | undefined} total */
function percentOf(done, total) {
  if (done === null || done === undefined || !total) return null;
  return Math.max(0, Math.min(100, Math.round((100 * done) / total)));
}
