/**
 * A part of a picture that somebody points at: from where the pointer went to the words in which the
 * model itself would name it. Pure.
 */

import { coordinateSpace, fromShares } from "./coordinates.js";

/**
 * @typedef {import("./view_window.js").Point} Point
 * @typedef {{kind: "box" | "point", shares: number[]}} Region `shares` of the picture, 0 to 1
 */

const LEAST_SHARE = 0.01;
// Around a point that is to be looked at again: a quarter of the picture's sides.
const AROUND_SHARE = 0.25;

/** @type {Region} */
export const MIDDLE_BOX = Object.freeze({ kind: "box", shares: [0.35, 0.35, 0.65, 0.65] });

/**
 * What a pointer showed that went from one place to another; a tap shows a point.
 * @param {Point} from in shares of the picture
 * @param {Point} to
 * @returns {Region}
 */
export function regionBetween(from, to) {
  const isPoint = Math.abs(from.x - to.x) < LEAST_SHARE && Math.abs(from.y - to.y) < LEAST_SHARE;
  if (isPoint) return { kind: "point", shares: [from.x, from.y] };
  const [x1, x2] = [from.x, to.x].sort((a, b) => a - b);
  const [y1, y2] = [from.y, to.y].sort((a, b) => a - b);
  return { kind: "box", shares: [x1, y1, x2, y2] };
}

/**
 * A region moved, or a box made larger at its far corner; it stays within the picture.
 * @param {Region} region
 * @param {Point} by in shares
 * @param {{resizes: boolean}} options
 * @returns {Region}
 */
export function shifted({ kind, shares }, by, { resizes }) {
  const [x1, y1, x2 = x1, y2 = y1] = shares;
  if (resizes && kind === "box") {
    return { kind, shares: [x1, y1, within(x1 + LEAST_SHARE, x2 + by.x, 1), within(y1 + LEAST_SHARE, y2 + by.y, 1)] };
  }
  const x = within(-x1, by.x, 1 - x2);
  const y = within(-y1, by.y, 1 - y2);
  const place = [x1 + x, y1 + y, x2 + x, y2 + y];
  return { kind, shares: kind === "point" ? place.slice(0, 2) : place };
}

/**
 * The region as the model writes such things.
 * @param {Region} region
 * @param {import("./coordinates.js").CoordinateSpace} space
 * @param {number | null} picture its number in the prompt, where there are several
 * @returns {string}
 */
export function regionText({ kind, shares }, space, picture) {
  const values = fromShares(shares, space).join(", ");
  const text = kind === "box" ? `{"bbox_2d": [${values}]}` : `{"point_2d": [${values}]}`;
  return picture === null ? text : `Picture ${picture}: ${text}`;
}

/**
 * The region of a picture of the conversation, as the model that will answer writes it.
 * @param {Region} region
 * @param {{number: number, count: number, width: number, height: number}} picture
 * @param {{model: string, detail: string}} answerer
 * @returns {string}
 */
export function regionWords(region, picture, { model, detail }) {
  const space = coordinateSpace(model, picture, detail);
  // As in the prompt: pictures have numbers where there are several.
  return regionText(region, space, picture.count > 1 ? picture.number : null);
}

/**
 * What to cut out to look at a region again.
 * @param {Region} region
 * @returns {number[]} shares: x1, y1, x2, y2
 */
export function cutOf({ kind, shares }) {
  if (kind === "box") return shares;
  const half = AROUND_SHARE / 2;
  const [x, y] = shares.map((share) => within(half, share, 1 - half));
  return [x - half, y - half, x + half, y + half];
}

/** @param {number} least @param {number} value @param {number} most */
function within(least, value, most) {
  return Math.min(most, Math.max(least, value));
}
