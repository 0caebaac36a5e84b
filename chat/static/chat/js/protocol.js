/**
 * The wire contract as the browser knows it: names, builders of client frames, reading of server
 * frames. The lists are equal to those of chat/protocol.py and chat/errors.py, by test.
 * Knows no page and no socket.
 */

export const PROTOCOL_VERSION = 1;
export const MAX_FRAME_BYTES = 1048576;

export const CLIENT_FRAME_TYPES = [
  "message",
  "regenerate",
  "edit",
  "continue",
  "stop",
  "resume",
  "open",
  "close",
  "ping",
];

export const SERVER_FRAME_TYPES = [
  "info",
  "accepted",
  "status",
  "partial",
  "final",
  "error",
  "conversation",
  "pong",
];

export const STAGES = ["queued", "loading", "vision", "prefill", "decode"];

export const FINISH_REASONS = ["stop", "length", "stopped", "repetition"];

export const CLOSE_CODES = {
  TOO_BIG: 1009,
  RESTARTING: 1012,
  SIGNED_OUT: 4401,
  TOO_SLOW: 4408,
  FLOODING: 4429,
};

export const ERROR_CODES = [
  "unauthenticated",
  "bad_frame",
  "unknown_type",
  "empty_text",
  "text_too_long",
  "too_many_images",
  "image_not_found",
  "image_unreadable",
  "image_too_large",
  "image_type_unsupported",
  "document_not_found",
  "document_unreadable",
  "document_locked",
  "document_too_long",
  "conversation_not_found",
  "message_not_found",
  "preset_not_found",
  "preset_name_taken",
  "too_many_presets",
  "system_prompt_too_long",
  "already_running",
  "rate_limited",
  "quota_exceeded",
  "queue_full",
  "context_too_long",
  "model_unavailable",
  "out_of_memory",
  "generation_failed",
];

/**
 * @typedef {Record<string, any> & {type: string}} Frame
 * @typedef {{id: string, conversation: string | null, text: string, images: string[],
 *   edits?: string | null, options?: Options}} Turn `edits` names the question that this one is asked
 *   in place of; `options` are for a new conversation to keep
 * @typedef {Record<string, number | string>} Options by the names of docs/protocol.md
 */

/**
 * Ask a question.
 * @param {Turn} turn
 * @returns {Frame}
 */
export function messageFrame({ id, conversation, text, images, edits, options }) {
  if (edits) return { type: "edit", id, message: edits, text, images };
  const frame = { type: "message", id, text, images };
  if (conversation) return { ...frame, conversation };
  return options ? { ...frame, conversation_options: options } : frame;
}

/**
 * Have the question of a reply answered once more.
 * @param {string} reply
 * @param {Options} [options] what shall be otherwise than it was
 * @returns {Frame}
 */
export function regenerateFrame(reply, options) {
  return options ? { type: "regenerate", reply, options } : { type: "regenerate", reply };
}

/**
 * Go on with a reply that was stopped or cut off.
 * @param {string} reply
 * @returns {Frame}
 */
export function continueFrame(reply) {
  return { type: "continue", reply };
}

/**
 * Stop a reply; `seen` (code points) keeps the text up to where the reader was.
 * @param {string} reply
 * @param {number} [seen]
 * @returns {Frame}
 */
export function stopFrame(reply, seen) {
  return seen === undefined ? { type: "stop", reply } : { type: "stop", reply, seen };
}

/**
 * Ask for everything after `offset` (code points).
 * @param {string} reply
 * @param {number} offset
 * @returns {Frame}
 */
export function resumeFrame(reply, offset) {
  return { type: "resume", reply, offset };
}

/**
 * Ask for live text of a conversation.
 * @param {string} conversation
 * @returns {Frame}
 */
export function openFrame(conversation) {
  return { type: "open", conversation };
}

/**
 * Heartbeat.
 * @param {number} t
 * @returns {Frame}
 */
export function pingFrame(t) {
  return { type: "ping", t };
}

/**
 * Read a server frame; null for what is not one, so that a newer server breaks nothing.
 * @param {unknown} text
 * @returns {Frame | null}
 */
export function decode(text) {
  if (typeof text !== "string") return null;
  let frame;
  try {
    frame = JSON.parse(text);
  } catch {
    return null;
  }
  return frame && SERVER_FRAME_TYPES.includes(frame.type) ? frame : null;
}

/**
 * Count code points: offsets on the wire are code points, JavaScript strings are UTF-16.
 * @param {string} text
 * @returns {number}
 */
export function countCodePoints(text) {
  let count = 0;
  for (let i = 0; i < text.length; i += 1, count += 1) i += pairAt(text, i);
  return count;
}

/**
 * Leave out the first `count` code points.
 * @param {string} text
 * @param {number} count
 * @returns {string}
 */
export function dropCodePoints(text, count) {
  let i = 0;
  for (let left = count; left > 0 && i < text.length; left -= 1) i += 1 + pairAt(text, i);
  return text.slice(i);
}

/** @param {string} text @param {number} i @returns {0 | 1} */
function pairAt(text, i) {
  return /** @type {number} */ (text.codePointAt(i)) > 0xffff ? 1 : 0;
}

/**
 * Make a UUID v4. `crypto.randomUUID` is absent on plain http.
 * @param {(bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>} [fill]
 * @returns {string}
 */
export function makeId(fill = (bytes) => globalThis.crypto.getRandomValues(bytes)) {
  const bytes = fill(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
