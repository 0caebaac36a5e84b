/**
 * Where the marks stand in an answer's text: sets one off, and tells which one is under the
 * pointer. Owns the page's highlight "pointed"; changes no element.
 */

/** @typedef {import("./grounding.js").Mark} Mark */

const HIGHLIGHT = "pointed";

/**
 * The text of each mark as a range of the body.
 * @param {Element} body
 * @param {Mark[]} marks with offsets into the body's text content, in order
 * @returns {Range[]}
 */
export function rangesOf(body, marks) {
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  let node = walker.nextNode();
  let before = 0;
  /** @param {number} offset @returns {[Node, number]} */
  const locate = (offset) => {
    while (node && offset > before + lengthOf(node)) {
      before += lengthOf(node);
      node = walker.nextNode();
    }
    return [node ?? body, node ? offset - before : 0];
  };
  return marks.map(({ start, end }) => {
    const range = document.createRange();
    range.setStart(...locate(start));
    range.setEnd(...locate(end));
    return range;
  });
}

/** Set one range off, or none. @param {Range | undefined} range */
export function highlight(range) {
  if (!CSS.highlights) return; // Firefox before 140: the chips under the picture remain.
  if (range) CSS.highlights.set(HIGHLIGHT, new Highlight(range));
  else CSS.highlights.delete(HIGHLIGHT);
}

/**
 * The range under a point of the window.
 * @param {Range[]} ranges
 * @param {number} x
 * @param {number} y
 * @returns {number | null}
 */
export function rangeAt(ranges, x, y) {
  const index = ranges.findIndex((range) =>
    [...range.getClientRects()].some(
      (box) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom,
    ),
  );
  return index < 0 ? null : index;
}

/** @param {Node} node */
function lengthOf(node) {
  return node.nodeValue?.length ?? 0;
}
