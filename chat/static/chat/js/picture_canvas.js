/**
 * Pictures drawn anew in the browser with their marks, to keep.
 * Owns its canvases and the object URLs of what is saved.
 */

import { colourOf } from "./mark_layer.js";

/** @typedef {import("./grounding_export.js").PlacedMark} PlacedMark */

// The colours of grounding.css, which a canvas cannot read.
const COLOURS = ["#c2410c", "#0f6b5c", "#1d4ed8", "#a21caf", "#b91c1c", "#4d7c0f", "#6d28d9", "#0e7490"];
const MIN_LINE_PX = 2;
const LINE_SHARE = 1 / 300;
const PNG_PIXELS = 2 ** 20;
const JPEG_QUALITY = 0.95;

/**
 * The picture with its marks, as a PNG.
 * @param {HTMLImageElement} image
 * @param {PlacedMark[]} placed
 * @returns {Promise<Blob | null>}
 */
export function withMarks(image, placed) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const { canvas, context } = newCanvas(width, height);
  context.drawImage(image, 0, 0);
  const line = Math.max(MIN_LINE_PX, Math.max(width, height) * LINE_SHARE);
  placed.forEach(({ mark, shares }, index) => {
    context.strokeStyle = context.fillStyle = COLOURS[colourOf(placed, index)];
    context.lineWidth = line;
    const [x1, y1, x2 = x1, y2 = y1] = shares.map((share, i) => share * (i % 2 ? height : width));
    if (mark.kind === "box") context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    else drawPoint(context, x1, y1, line * 3);
    if (mark.label) drawLabel(context, mark.label, { x: x1, y: y1, line });
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

/**
 * A part of a picture in the picture's own pixels: a PNG, or a JPEG where a PNG would be huge.
 * @param {HTMLImageElement} image
 * @param {number[]} shares x1, y1, x2, y2
 * @returns {Promise<Blob | null>}
 */
export function cropped(image, shares) {
  const sizes = [image.naturalWidth, image.naturalHeight];
  const [x1, y1] = [0, 1].map((i) => Math.floor(shares[i] * sizes[i]));
  const [x2, y2] = [0, 1].map((i) => Math.ceil(shares[i + 2] * sizes[i]));
  const [width, height] = [Math.max(1, x2 - x1), Math.max(1, y2 - y1)];
  const { canvas, context } = newCanvas(width, height);
  context.drawImage(image, x1, y1, width, height, 0, 0, width, height);
  const type = width * height > PNG_PIXELS ? "image/jpeg" : "image/png";
  return new Promise((resolve) => canvas.toBlob(resolve, type, JPEG_QUALITY));
}

/** Hand a file to the person. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href)); // The click has taken it by then.
}

/** @param {number} width @param {number} height */
function newCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  return { canvas, context };
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} radius */
function drawPoint(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} label
 * @param {{x: number, y: number, line: number}} place
 */
function drawLabel(context, label, { x, y, line }) {
  const size = Math.max(12, line * 6);
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "top";
  const top = y >= size * 1.3 ? y - size * 1.3 : y;
  context.fillRect(x, top, context.measureText(label).width + size * 0.6, size * 1.3);
  context.fillStyle = "#fff";
  context.fillText(label, x + size * 0.3, top + size * 0.15);
}
