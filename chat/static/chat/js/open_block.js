/**
 * Guesses, while a text grows, whether a block of it has ended, so that the server is asked when there
 * is something to render and not at every word. The server alone decides: a wrong guess costs a
 * question, a missed one is made good by the next block. Pure: knows no page.
 */

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/;
const ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
const ENDS_ITSELF = /^ {0,3}(?:#{1,6}(?:\s|$)|(?:[-*_][ \t]*){3,}$)/;
// A word ends a list, and cannot become an item of it.
const TEXT = /^ ?\*{0,3}\p{L}/u;
const INDENTED = /^(?: {2}|\t)/;

export class OpenBlock {
  #hasEnded = false;
  #line = "";
  #fence = "";
  #isInList = false;
  #hasText = false;
  #isAfterBlank = false;

  /** Whether a block has ended since the beginning. */
  get hasEnded() {
    return this.#hasEnded || (this.#isInList && this.#isAfterBlank && TEXT.test(this.#line));
  }

  /** Read on. @param {string} piece */
  read(piece) {
    const lines = (this.#line + piece).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) this.#readLine(line);
  }

  /** @param {string} line */
  #readLine(line) {
    const isBlank = !line.trim();
    if (this.#fence) this.#readCode(line);
    else if (isBlank) this.#end(this.#hasText && !this.#isInList);
    else if (!(this.#isInList && INDENTED.test(line))) this.#readText(line);
    this.#hasText ||= !isBlank;
    this.#isAfterBlank = isBlank;
  }

  /** @param {string} line */
  #readCode(line) {
    const [, mark, rest] = FENCE.exec(line) ?? [];
    if (!mark?.startsWith(this.#fence) || rest.trim()) return;
    this.#fence = "";
    this.#end(true);
  }

  /** @param {string} line */
  #readText(line) {
    const fence = fenceOf(line);
    if (fence) {
      this.#fence = fence;
      this.#end(this.#hasText);
      this.#isInList = false;
    } else if (ENDS_ITSELF.test(line)) {
      this.#end(true);
      this.#isInList = false;
    } else if (ITEM.test(line)) {
      this.#end(this.#hasText && !this.#isInList);
      this.#isInList = true;
    } else {
      this.#end(this.#isInList && this.#isAfterBlank);
      this.#isInList &&= !this.#isAfterBlank;
    }
  }

  /** @param {boolean} hasEnded */
  #end(hasEnded) {
    this.#hasEnded ||= hasEnded;
  }
}

/** The marks that open a code block, if the line does. @param {string} line @returns {string} */
function fenceOf(line) {
  const [, mark, rest] = FENCE.exec(line) ?? ["", "", ""];
  return mark.startsWith("`") && rest.includes("`") ? "" : mark;
}
