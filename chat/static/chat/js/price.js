/**
 * What a question costs before it is sent: tokens and time of its pictures, and whether all of it fits
 * the model. Pure; the server measured the speed and counted the tokens.
 */

import { number, say } from "./texts.js";

/**
 * @typedef {{tokens: Record<string, number>, seconds: Record<string, number> | null}} Prices by detail
 * @typedef {{tokens: number, seconds: number | null}} Price
 * @typedef {{pictures: Prices[], text: string, options: import("./protocol.js").Options,
 *   contextTokens: number}} Need `options` are those that hold
 */

export const DETAILS = ["fast", "balanced", "detail", "full"];
// Around a message and around each of its pictures, as the server counts them.
const MESSAGE_TOKENS = 8;
const PICTURE_TOKENS = 8;
const LETTERS_A_TOKEN = 3.5;
const TOKENS_A_CJK_LETTER = 0.8;
const CJK = /[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]/g;
const MINUTE_S = 60;
const IN_MINUTES_FROM_S = 90;

/** What the server says that a picture costs; null where it does not. @param {any} answer @returns {Prices | null} */
export function pricesOf(answer) {
  return answer?.tokens ? { tokens: answer.tokens, seconds: answer.seconds ?? null } : null;
}

/** What one picture costs. @param {Prices} prices @param {string} detail @returns {Price} */
export function priceOf({ tokens, seconds }, detail) {
  return { tokens: tokens[detail] ?? 0, seconds: seconds?.[detail] ?? null };
}

/**
 * What pictures cost together; null without any.
 * @param {Prices[]} pictures
 * @param {string} detail
 * @returns {Price | null}
 */
export function sumOf(pictures, detail) {
  const prices = pictures.map((each) => priceOf(each, detail));
  if (prices.length === 0) return null;
  return {
    tokens: prices.reduce((sum, { tokens }) => sum + tokens, 0),
    seconds: prices.reduce(
      (/** @type {number | null} */ sum, { seconds }) =>
        sum === null || seconds === null ? null : sum + seconds,
      0,
    ),
  };
}

/** A price in words. @param {Price} price @returns {string[]} tokens, and the time where it is known */
export function priceWords({ tokens, seconds }) {
  const words = [say("price_tokens", { count: number(tokens) })];
  return seconds === null ? words : [...words, timeWords(seconds)];
}

/** @param {number} seconds */
function timeWords(seconds) {
  if (seconds < 1) return say("price_moment");
  if (seconds < IN_MINUTES_FROM_S) return say("price_seconds", { seconds: number(Math.round(seconds)) });
  return say("price_minutes", { minutes: number(Math.round(seconds / MINUTE_S)) });
}

/**
 * What to do about a question that does not fit the model; an empty string where it does. Older turns
 * are no matter: the server leaves them out.
 * @param {Need} need
 * @returns {string}
 */
export function obstacleOf(need) {
  const { options, contextTokens } = need;
  // At least half of the context stays for the question, however long an answer was asked for.
  const room = contextTokens - Math.min(Number(options.max_tokens), Math.floor(contextTokens / 2));
  const detail = String(options.pixels);
  const needed = tokensOf(need, detail);
  if (needed <= room) return "";
  const lower = DETAILS.slice(0, DETAILS.indexOf(detail)).findLast((each) => tokensOf(need, each) <= room);
  const values = { needed: number(needed), room: number(room) };
  return lower
    ? say("context_full_detail", { ...values, detail: say(`pixels_${lower}`) })
    : say("context_full", values);
}

/** @param {Need} need @param {string} detail */
function tokensOf({ pictures, text, options }, detail) {
  const instructions = String(options.system_prompt ?? "");
  const texts = [text, ...(instructions ? [instructions] : [])];
  const ofTexts = texts.reduce((sum, each) => sum + textTokens(each) + MESSAGE_TOKENS, 0);
  return ofTexts + (sumOf(pictures, detail)?.tokens ?? 0) + pictures.length * PICTURE_TOKENS;
}

/** About how many tokens a text has. @param {string} text */
function textTokens(text) {
  const chinese = text.match(CJK)?.length ?? 0;
  return Math.ceil(chinese * TOKENS_A_CJK_LETTER + (text.length - chinese) / LETTERS_A_TOKEN);
}
