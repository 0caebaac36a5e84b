/**
 * Boxes and points over a picture, placed in shares of it, so that they are right at every size.
 * Owns the elements of its layer.
 */

/** @typedef {import("./grounding_export.js").PlacedMark} PlacedMark */

const COLOURS = 8;

/**
 * The colour of a mark: marks with one label share it.
 * @param {PlacedMark[]} placed
 * @param {number} index
 * @returns {number} 0 to 7
 */
export function colourOf(placed, index) {
  const labels = [...new Set(placed.map(({ mark }) => mark.label))];
  return labels.indexOf(placed[index].mark.label) % COLOURS;
}

/**
 * Draw the marks; those that stand there already stay as they are.
 * @param {Element} layer
 * @param {PlacedMark[]} placed
 */
export function drawMarks(layer, placed) {
  while (layer.childElementCount > placed.length) layer.lastElementChild?.remove();
  placed.forEach((item, index) => {
    const element = /** @type {any} */ (layer.children[index] ?? layer.appendChild(newMark()));
    element.className = `pointed pointed--${item.mark.kind} pointed--c${colourOf(placed, index)}`;
    element.dataset.mark = String(index);
    element.firstElementChild.textContent = item.mark.label;
    place(element, item);
  });
}

/**
 * Set one mark off from the others, or none.
 * @param {Element} layer
 * @param {number | null} index
 */
export function emphasise(layer, index) {
  [...layer.children].forEach((element, i) => {
    element.classList.toggle("pointed--on", i === index);
    element.classList.toggle("pointed--off", index !== null && i !== index);
  });
}

/** @returns {HTMLElement} */
function newMark() {
  const element = document.createElement("span");
  const label = document.createElement("span");
  label.className = "pointed__label";
  label.dir = "auto";
  element.append(label);
  return element;
}

/** @param {HTMLElement} element @param {PlacedMark} item */
function place(element, { shares: [x1, y1, x2 = x1, y2 = y1] }) {
  element.style.left = `${x1 * 100}%`;
  element.style.top = `${y1 * 100}%`;
  element.style.width = `${(x2 - x1) * 100}%`;
  element.style.height = `${(y2 - y1) * 100}%`;
  // What lies within a large box is reached before it.
  element.style.zIndex = String(1000 - Math.round((x2 - x1) * (y2 - y1) * 999));
  element.classList.toggle("pointed--high", y1 < 0.06);
}
