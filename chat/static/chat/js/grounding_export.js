/**
 * Marks as data to take away: JSON as the model writes it, CSV, COCO. Pure.
 */

/**
 * @typedef {import("./grounding.js").Mark} Mark
 * @typedef {{id: string, width: number, height: number}} MarkedPicture upright, in pixels
 * @typedef {{mark: Mark, shares: number[]}} PlacedMark `shares` of the picture, 0 to 1
 */

const CSV_HEAD = ["label", "kind", "x1_px", "y1_px", "x2_px", "y2_px"];
// A cell that begins like a formula is run by a spreadsheet: it is quoted as text.
const FORMULA = /^[=+\-@\t\r]/;

/** @param {PlacedMark[]} placed @returns {string} the model's own objects and coordinates */
export function asJson(placed) {
  const objects = placed.map(({ mark }) => ({
    [mark.kind === "box" ? "bbox_2d" : "point_2d"]: mark.values,
    ...(mark.label && { label: mark.label }),
    ...mark.extra,
  }));
  return JSON.stringify(objects, null, 2);
}

/** @param {PlacedMark[]} placed @param {MarkedPicture} picture @returns {string} pixels of the picture */
export function asCsv(placed, picture) {
  const rows = placed.map(({ mark, shares }) => {
    const [x1, y1, x2 = "", y2 = ""] = inPixels(shares, picture);
    return [cell(mark.label), mark.kind, x1, y1, x2, y2].join(",");
  });
  return [CSV_HEAD.join(","), ...rows].join("\r\n") + "\r\n";
}

/**
 * The COCO form: boxes as x, y, width, height in pixels, points as one visible keypoint.
 * @param {PlacedMark[]} placed
 * @param {MarkedPicture} picture
 * @returns {string}
 */
export function asCoco(placed, picture) {
  const names = [...new Set(placed.map(({ mark }) => mark.label || "object"))];
  const annotations = placed.map(({ mark, shares }, index) => {
    const [x1, y1, x2 = x1, y2 = y1] = inPixels(shares, picture);
    const width = round(x2 - x1);
    const height = round(y2 - y1);
    return {
      id: index + 1,
      image_id: 1,
      category_id: names.indexOf(mark.label || "object") + 1,
      bbox: [x1, y1, width, height],
      area: round(width * height),
      iscrowd: 0,
      ...(mark.kind === "point" && { keypoints: [x1, y1, 2], num_keypoints: 1 }),
    };
  });
  const image = { id: 1, file_name: picture.id, width: picture.width, height: picture.height };
  const categories = names.map((name, index) => ({ id: index + 1, name }));
  return JSON.stringify({ images: [image], annotations, categories }, null, 2);
}

/** @param {number[]} shares @param {MarkedPicture} picture @returns {number[]} */
function inPixels(shares, { width, height }) {
  return shares.map((share, i) => round(share * (i % 2 ? height : width)));
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** @param {string} text */
function cell(text) {
  const inert = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
