/**
 * From a model's coordinates to shares of the picture (0 to 1). Qwen3-VL counts from 0 to
 * 1000 over the picture as people see it; Qwen2.5-VL counts pixels of the picture as it was resized
 * for the model, which depends on the detail that was asked for. Pure.
 */

/**
 * @typedef {"relative" | "absolute"} CoordinateMode
 * @typedef {{width: number, height: number}} Size
 * @typedef {{mode: CoordinateMode, size: Size}} CoordinateSpace `size` is what the coordinates span
 */

const RELATIVE_SPAN = 1000;
// Qwen2.5-VL: patches of 14 px, merged two by two; its image processor's limits in tokens.
const TOKEN_SIDE_PX = 28;
const MIN_TOKENS = 4;
/** @type {Record<string, number>} */
const MAX_TOKENS = { fast: 256, balanced: 1024, detail: 2048, full: 16384 };

/**
 * How a model writes coordinates.
 * @param {string} model
 * @returns {CoordinateMode}
 */
export function coordinateMode(model) {
  return /qwen2[._]5-?vl/i.test(model) ? "absolute" : "relative";
}

/**
 * What a model's coordinates span on one picture.
 * @param {string} model
 * @param {Size} picture upright, in pixels
 * @param {string} detail
 * @returns {CoordinateSpace}
 */
export function coordinateSpace(model, picture, detail) {
  const mode = coordinateMode(model);
  if (mode === "absolute") return { mode, size: resizedFor(picture, detail) };
  return { mode, size: { width: RELATIVE_SPAN, height: RELATIVE_SPAN } };
}

/**
 * The size to which a picture is brought for the model: whole tokens, within the budget, its shape
 * kept as well as that allows.
 * Source: `smart_resize` of Qwen2.5-VL's image processor.
 * @param {Size} picture
 * @param {string} detail
 * @returns {Size}
 */
export function resizedFor({ width, height }, detail) {
  const side = TOKEN_SIDE_PX;
  const maxArea = (MAX_TOKENS[detail] ?? MAX_TOKENS.balanced) * side * side;
  const minArea = MIN_TOKENS * side * side;
  const nearest = {
    width: Math.max(side, Math.round(width / side) * side),
    height: Math.max(side, Math.round(height / side) * side),
  };
  const area = nearest.width * nearest.height;
  if (area >= minArea && area <= maxArea) return nearest;
  const isLarge = area > maxArea;
  const scale = Math.sqrt((isLarge ? maxArea : minArea) / (width * height));
  const fit = isLarge ? Math.floor : Math.ceil;
  return {
    width: Math.max(side, fit((width * scale) / side) * side),
    height: Math.max(side, fit((height * scale) / side) * side),
  };
}

/**
 * Coordinates as shares of the picture, kept within it.
 * @param {number[]} values x, y or x1, y1, x2, y2
 * @param {CoordinateSpace} space
 * @returns {number[]}
 */
export function toShares(values, { size }) {
  return values.map((value, i) => within(value / (i % 2 ? size.height : size.width)));
}

/**
 * Shares of the picture as a model's coordinates, in whole numbers.
 * @param {number[]} shares x, y or x1, y1, x2, y2
 * @param {CoordinateSpace} space
 * @returns {number[]}
 */
export function fromShares(shares, { size }) {
  return shares.map((share, i) => Math.round(within(share) * (i % 2 ? size.height : size.width)));
}

/** @param {number} share */
function within(share) {
  return Math.min(1, Math.max(0, share));
}
