/**
 * The words of the page, in the reader's language: filled once from the page's data.
 * Owns the number formats too. Knows no page.
 */

/** @type {Record<string, string>} */
let texts = {};
let language = "en";

/**
 * Take the texts of the page.
 * @param {Record<string, string>} given
 * @param {string} givenLanguage a BCP 47 tag
 */
export function setTexts(given, givenLanguage) {
  texts = given;
  language = givenLanguage;
}

/**
 * One text with its `{names}` filled; the key itself where the server sent none.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function say(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * A number as the language writes it.
 * @param {number} value
 * @param {number} [digits] after the decimal point
 * @returns {string}
 */
export function number(value, digits = 0) {
  return new Intl.NumberFormat(language, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

/**
 * A size for people.
 * @param {number} bytes
 * @returns {string}
 */
export function fileSize(bytes) {
  const megabytes = bytes / 2 ** 20;
  if (megabytes < 1) return say("kilobytes", { size: number(Math.max(1, bytes / 1024)) });
  return say("megabytes", { size: number(megabytes, Number.isInteger(megabytes) ? 0 : 1) });
}
