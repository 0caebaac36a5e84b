/**
 * Pages as people write them: "1-3, 7" to numbers and back. Pure.
 */

const SEPARATORS = /[,，、;；\s]+/;
const PART = /^(\d{1,6})?([-–—~～])?(\d{1,6})?$/;

/**
 * The pages that a text names, or null where it cannot be read or names one that is not there.
 * "5-" goes to the end, "-3" begins at the first, an empty text is no page.
 * @param {string} text
 * @param {number} count how many pages there are
 * @returns {number[] | null} ascending, each once
 */
export function parsePages(text, count) {
  const tidy = text.replace(/\s*([-–—~～])\s*/g, "$1").trim();
  const parts = tidy.split(SEPARATORS).filter(Boolean);
  const pages = new Set();
  for (const part of parts) {
    const ends = endsOf(part, count);
    if (!ends) return null;
    for (let page = ends[0]; page <= ends[1]; page += 1) pages.add(page);
  }
  return [...pages].sort((one, other) => one - other);
}

/**
 * The shortest text for these pages.
 * @param {Iterable<number>} pages
 * @returns {string}
 */
export function formatPages(pages) {
  /** @type {number[][]} */
  const runs = [];
  for (const page of [...new Set(pages)].sort((one, other) => one - other)) {
    const last = runs.at(-1);
    if (last && last[1] === page - 1) last[1] = page;
    else runs.push([page, page]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
}

/** @param {string} part @param {number} count @returns {[number, number] | null} */
function endsOf(part, count) {
  const [, first, dash, last] = PART.exec(part) ?? [];
  if (first === undefined && last === undefined) return null;
  const from = Number(first ?? 1);
  const to = dash ? Number(last ?? count) : from;
  return from >= 1 && from <= to && to <= count ? [from, to] : null;
}
