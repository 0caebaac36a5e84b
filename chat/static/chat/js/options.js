/**
 * Options as values: what was chosen, what holds, and what differs from the server's choice.
 * Knows no page.
 */

/**
 * @typedef {import("./protocol.js").Options} Options
 * @typedef {{name: string, value: number | string}} Difference
 */

export const NAMES = [
  "system_prompt",
  "pixels",
  "temperature",
  "top_p",
  "presence_penalty",
  "max_tokens",
  "seed",
];
const PENALTY_STEP = 0.5;
const MAX_PENALTY = 2;

/**
 * What is to be kept of a form's values: nothing that is empty, or as the server chooses anyway.
 * @param {Record<string, string>} values by name
 * @param {Options} defaults what the server chooses
 * @returns {Options}
 */
export function chosenOf(values, defaults) {
  /** @type {Options} */
  const chosen = {};
  for (const name of NAMES) {
    const text = (values[name] ?? "").trim();
    const isWord = name === "pixels" || name === "system_prompt";
    const value = isWord ? text : Number(text);
    if (text !== "" && value !== defaults[name]) chosen[name] = value;
  }
  return chosen;
}

/**
 * What differs from the server's choice, in the order of the form.
 * @param {Options} chosen
 * @param {Options} defaults
 * @returns {Difference[]}
 */
export function differencesOf(chosen, defaults) {
  return NAMES.flatMap((name) => {
    const value = chosen[name];
    const isDifferent = value !== undefined && value !== "" && value !== defaults[name];
    return isDifferent ? [{ name, value }] : [];
  });
}

/**
 * A presence penalty that is higher than an answer's; null where it was the highest.
 * @param {number} penalty
 * @returns {number | null}
 */
export function higherPenalty(penalty) {
  const next = Math.min(MAX_PENALTY, Math.max(0, penalty) + PENALTY_STEP);
  return next > penalty ? next : null;
}

/**
 * Whether two choices are the same.
 * @param {Options} one
 * @param {Options} other
 */
export function areSame(one, other) {
  return NAMES.every((name) => one[name] === other[name]);
}
