/**
 * The complete blocks of a reply that is being written, as the server rendered them: which part of
 * its text stands in them, and which is still open. Pure: knows no page.
 */

import { dropCodePoints } from "./protocol.js";

/**
 * @typedef {{offset: number, end: number, html: string}} Part what the server answers; code points
 * @typedef {{end: number, at: number, html: string}} Block up to where it reaches: `end` in code
 *   points, `at` in UTF-16 units
 * @typedef {{text: string, length: number, blocks: Block[]}} Written `length` in code points
 */

/**
 * Add what was rendered, if it is what comes next and its text is here.
 * @template {Written} Reply
 * @param {Reply} reply
 * @param {Part} part
 * @returns {Reply} the same where it does not fit
 */
export function withPart(reply, { offset, end, html }) {
  const before = reply.blocks.at(-1) ?? { end: 0, at: 0 };
  if (offset !== before.end || end <= offset || end > reply.length) return reply;
  const rest = dropCodePoints(reply.text.slice(before.at), end - offset);
  const block = { end, at: reply.text.length - rest.length, html };
  return { ...reply, blocks: [...reply.blocks, block] };
}

/**
 * The text behind the complete blocks. Blank lines between blocks are none of it.
 * @param {Written} reply
 * @returns {string}
 */
export function openText({ text, blocks }) {
  const last = blocks.at(-1);
  return last ? text.slice(last.at).replace(/^[\r\n]+/, "") : text;
}
