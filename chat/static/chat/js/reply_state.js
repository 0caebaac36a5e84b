/**
 * What the page knows of one reply, and how frames change it. Pure; knows no page, no socket and no
 * clock. Replies are never changed in place.
 */

import { countCodePoints, dropCodePoints } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Frame} Frame
 * @typedef {{id: string, imageCount: number, isOpen: boolean, stage: string, position: number | null,
 *   done: number | null, total: number | null, etaS: number | null, isResumed: boolean,
 *   text: string, length: number, blocks: import("./reply_blocks.js").Block[], hasGap: boolean, html: string | null, finishReason: string,
 *   usage: Record<string, number>, timings: Record<string, number>, model: string, isDemo: boolean,
 *   error: string, rate: number | null, decodeStart: {at: number, done: number} | null}} Reply
 */

/**
 * A reply that is waiting, without text.
 * @param {string} id
 * @returns {Reply}
 */
export function newReply(id) {
  return {
    id,
    imageCount: 0,
    isOpen: true,
    stage: "",
    position: null,
    done: null,
    total: null,
    etaS: null,
    isResumed: false,
    text: "",
    length: 0,
    blocks: [],
    hasGap: false,
    html: null,
    finishReason: "",
    usage: {},
    timings: {},
    model: "",
    isDemo: false,
    error: "",
    rate: null,
    decodeStart: null,
  };
}

/**
 * Apply one frame to the reply that it is about.
 * @param {Reply} reply
 * @param {Frame} frame
 * @param {number} now milliseconds of any steady clock
 * @returns {Reply} the same where nothing changes
 */
export function reduceReply(reply, frame, now) {
  if (!reply.isOpen) return reply; // nothing follows an end
  const apply = { status: applyStatus, partial: applyPartial, final: applyFinal }[frame.type];
  return apply ? apply(reply, frame, now) : reply;
}

/** @param {Reply} reply @param {Frame} frame @param {number} now @returns {Reply} */
function applyStatus(reply, frame, now) {
  const done = frame.done ?? null;
  const isDecoding = frame.stage === "decode" && done !== null;
  const decodeStart = isDecoding ? (reply.decodeStart ?? { at: now, done }) : null;
  return {
    ...reply,
    stage: frame.stage,
    position: frame.position ?? null,
    done,
    total: frame.total ?? null,
    etaS: frame.eta_s ?? null,
    isResumed: frame.resumed === true,
    decodeStart,
    rate: isDecoding && decodeStart ? rateSince(decodeStart, done, now) : reply.rate,
  };
}

/** @param {{at: number, done: number}} start @param {number} done @param {number} now */
function rateSince(start, done, now) {
  const seconds = (now - start.at) / 1000;
  return seconds >= 0.5 && done > start.done ? (done - start.done) / seconds : null;
}

/** @param {Reply} reply @param {Frame} frame @returns {Reply} */
function applyPartial(reply, frame) {
  const { offset, content } = frame;
  // Frames before this one were lost: nothing is shown until `resume` has brought them.
  if (offset > reply.length) return reply.hasGap ? reply : { ...reply, hasGap: true };
  const added = dropCodePoints(content, reply.length - offset);
  const stage = reply.stage === "decode" ? reply.stage : "decode";
  if (!added) return reply.hasGap ? { ...reply, hasGap: false } : reply;
  return {
    ...reply,
    stage,
    text: reply.text + added,
    length: reply.length + countCodePoints(added),
    hasGap: false,
  };
}

/** @param {Reply} reply @param {Frame} frame @returns {Reply} */
function applyFinal(reply, frame) {
  return {
    ...reply,
    isOpen: false,
    hasGap: false,
    text: frame.content,
    length: countCodePoints(frame.content),
    html: frame.html,
    finishReason: frame.finish_reason,
    usage: frame.usage ?? {},
    timings: frame.timings ?? {},
    model: frame.model ?? "",
    isDemo: frame.demo === true,
  };
}
