/**
 * Which part of a picture a pane shows: how much it is enlarged, and how far it is moved. Pure.
 */

/**
 * @typedef {{width: number, height: number}} Size
 * @typedef {{x: number, y: number}} Point
 * @typedef {{scale: number, x: number, y: number}} Window `scale` 1 shows the whole picture; `x`
 *   and `y` are how far its middle is from the pane's, in CSS pixels
 * @typedef {{fit: Size, pane: Size, most: number}} Bounds `fit` is the size at scale 1, `most` the
 *   largest scale
 */

const LEAST_MOST = 8;
// So far that single pixels of a large picture can be told apart.
const PIXELS_PER_PIXEL = 4;

/** @type {Window} */
export const WHOLE = Object.freeze({ scale: 1, x: 0, y: 0 });

/**
 * How a picture lies in a pane. Small pictures are not enlarged to fit.
 * @param {Size} picture in its own pixels
 * @param {Size} pane
 * @returns {Bounds}
 */
export function boundsOf(picture, pane) {
  const share = Math.min(1, pane.width / picture.width, pane.height / picture.height);
  const fit = { width: picture.width * share, height: picture.height * share };
  return { fit, pane, most: Math.max(LEAST_MOST, PIXELS_PER_PIXEL / share) };
}

/**
 * Enlarge by a factor, so that what is at `point` stays there.
 * @param {Window} window
 * @param {number} factor
 * @param {Point} point from the pane's middle
 * @param {Bounds} bounds
 * @returns {Window}
 */
export function zoomed(window, factor, point, bounds) {
  const scale = Math.min(bounds.most, Math.max(1, window.scale * factor));
  const change = scale / window.scale;
  const x = point.x - (point.x - window.x) * change;
  const y = point.y - (point.y - window.y) * change;
  return within({ scale, x, y }, bounds);
}

/**
 * Move the picture.
 * @param {Window} window
 * @param {Point} by in CSS pixels
 * @param {Bounds} bounds
 * @returns {Window}
 */
export function moved(window, by, bounds) {
  return within({ scale: window.scale, x: window.x + by.x, y: window.y + by.y }, bounds);
}

/**
 * Keep the picture in sight: an edge stays at the pane's edge, a smaller picture in the middle.
 * @param {Window} window
 * @param {Bounds} bounds
 * @returns {Window}
 */
export function within({ scale, x, y }, { fit, pane }) {
  const room = (/** @type {number} */ size, /** @type {number} */ space) =>
    Math.max(0, (size * scale - space) / 2);
  const toX = room(fit.width, pane.width);
  const toY = room(fit.height, pane.height);
  return { scale, x: Math.min(toX, Math.max(-toX, x)), y: Math.min(toY, Math.max(-toY, y)) };
}

/**
 * Which place of the picture is at a point; kept within the picture.
 * @param {Window} window
 * @param {Point} point from the pane's middle
 * @param {Bounds} bounds
 * @returns {Point} shares of the picture, 0 to 1
 */
export function shareAt(window, point, { fit }) {
  const share = (/** @type {number} */ value, /** @type {number} */ size) =>
    Math.min(1, Math.max(0, value / (size * window.scale) + 0.5));
  return { x: share(point.x - window.x, fit.width), y: share(point.y - window.y, fit.height) };
}
