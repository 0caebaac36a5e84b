/**
 * Finds what a model points at: objects with `bbox_2d` or `point_2d` anywhere in a text that is
 * still being written. Each is given the moment its closing brace is there, and only once.
 * Pure: knows no page. Coordinates stay as the model wrote them; see coordinates.js.
 */

/**
 * @typedef {{kind: "box" | "point", values: number[], label: string, picture: number | null,
 *   extra: Record<string, unknown>, start: number, end: number}} Mark `start` and `end` are
 *   UTF-16 offsets of its object in the text; `picture` counts from 1, null where none is named
 */

// Longer objects hold marks, they are none: this bounds the work that a hostile text can cause.
const MAX_OBJECT_CHARS = 4096;
const MAX_DEPTH = 64;
const MAX_MARKS = 500;
const MARK_KEY = /"(?:bbox|point)_2d"/;
const PICTURE_KEYS = ["picture", "image", "picture_id", "image_id", "picture_index", "image_index"];
const PICTURE_NAME = /(?:\b(?:picture|image)|图片?|第)\s*(\d{1,3})/gi;

export class GroundingParser {
  /** @type {Mark[]} */
  marks = [];
  #text = "";
  #position = 0;
  /** @type {number[]} where the braces that are open began */
  #open = [];
  #isInString = false;
  /** @type {number | null} */
  #picture = null;
  #pictureSeenTo = 0;

  /** All that was fed. */
  get text() {
    return this.#text;
  }

  /**
   * Read on.
   * @param {string} piece
   * @returns {Mark[]} the marks that it completed
   */
  feed(piece) {
    const known = this.marks.length;
    this.#text += piece;
    for (; this.#position < this.#text.length; this.#position += 1) {
      if (this.#isInString) this.#readString();
      else this.#readStructure();
    }
    return this.marks.slice(known);
  }

  #readString() {
    const character = this.#text[this.#position];
    // A JSON string holds no line break: a lone quote in prose is forgotten at the end of its line.
    if (character === "\n") this.#isInString = false;
    else if (character === '"') this.#isInString = this.#isEscaped();
  }

  /** Whether an odd number of backslashes stands before: looked up, so any split reads alike. */
  #isEscaped() {
    let before = this.#position;
    while (before > 0 && this.#text[before - 1] === "\\") before -= 1;
    return (this.#position - before) % 2 === 1;
  }

  #readStructure() {
    const character = this.#text[this.#position];
    if (character === "{") {
      this.#open.push(this.#position);
      if (this.#open.length > MAX_DEPTH) this.#open.shift();
    } else if (character === "}") {
      const start = this.#open.pop();
      if (start !== undefined) this.#readObject(start, this.#position + 1);
    } else if (character === '"') {
      this.#isInString = this.#open.length > 0;
    }
  }

  /** @param {number} start @param {number} end */
  #readObject(start, end) {
    if (end - start > MAX_OBJECT_CHARS || this.marks.length >= MAX_MARKS) return;
    const source = this.#text.slice(start, end);
    if (!MARK_KEY.test(source)) return;
    const found = readMark(parseObject(source));
    if (!found) return;
    this.#lookForPictureName(start);
    this.marks.push({ ...found, picture: found.picture ?? this.#picture, start, end });
  }

  /** @param {number} end */
  #lookForPictureName(end) {
    const prose = this.#text.slice(this.#pictureSeenTo, end);
    for (const [, digits] of prose.matchAll(PICTURE_NAME)) this.#picture = Number(digits);
    this.#pictureSeenTo = end;
  }
}

/**
 * All marks of a text that is there whole.
 * @param {string} text
 * @returns {Mark[]}
 */
export function marksOf(text) {
  return new GroundingParser().feed(text);
}

/** @param {string} source @returns {Record<string, unknown> | null} */
function parseObject(source) {
  try {
    return JSON.parse(source);
  } catch {
    return null; // Braces that are no JSON, such as a formula's.
  }
}

/** @param {Record<string, unknown> | null} object */
function readMark(object) {
  if (!object) return null;
  const { bbox_2d: box, point_2d: point, label, ...extra } = object;
  const kind = box === undefined ? /** @type {const} */ ("point") : /** @type {const} */ ("box");
  const values = kind === "box" ? readNumbers(box, 4) : readNumbers(point, 2);
  if (!values) return null;
  const named = PICTURE_KEYS.map((key) => extra[key]).find((value) => Number.isInteger(value));
  return {
    kind,
    values: kind === "box" ? ordered(values) : values,
    label: typeof label === "string" ? label : "",
    picture: /** @type {number | undefined} */ (named) ?? null,
    extra,
  };
}

/** @param {unknown} value @param {number} count @returns {number[] | null} */
function readNumbers(value, count) {
  const isWhole = Array.isArray(value) && value.length === count && value.every(Number.isFinite);
  return isWhole ? value : null;
}

/** Corners in the wrong order name the same box. @param {number[]} box */
function ordered([x1, y1, x2, y2]) {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
}
