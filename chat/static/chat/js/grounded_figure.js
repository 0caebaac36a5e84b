/**
 * One picture with what the answer points at: boxes, a legend, and what can be done with them.
 * Owns its figure.
 */

import { copyText } from "./copy.js";
import { coordinateSpace, toShares } from "./coordinates.js";
import { cloneTemplate, find, on, onWithin, setText } from "./dom.js";
import { asCoco, asCsv, asJson } from "./grounding_export.js";
import { colourOf, drawMarks, emphasise } from "./mark_layer.js";
import { save, withMarks } from "./picture_canvas.js";
import { say } from "./texts.js";

/**
 * @typedef {import("./grounding.js").Mark} Mark
 * @typedef {import("./grounding_export.js").PlacedMark} PlacedMark
 * @typedef {import("./transcript_pictures.js").Picture} Picture
 * @typedef {{toast(text: string): void, onHover(mark: Mark | null): void,
 *   onOpen(picture: Picture): void}} FigureOptions
 */

export class GroundedFigure {
  element = cloneTemplate("grounded");
  #picture;
  #options;
  /** @type {HTMLImageElement} */
  #image;
  #layer;
  /** @type {Mark[]} */
  #marks = [];
  /** @type {PlacedMark[]} */
  #placed = [];
  /** @type {{model: string, detail: string}} */
  #answerer = { model: "", detail: "" };

  /** @param {Picture} picture @param {FigureOptions} options */
  constructor(picture, options) {
    this.#picture = picture;
    this.#options = options;
    this.#image = find("grounded-image", this.element);
    this.#layer = find("marks", this.element);
    on(this.#image, "load", () => this.#draw());
    this.#image.src = picture.url;
    this.#listen();
  }

  /**
   * Show these marks.
   * @param {Mark[]} marks
   * @param {{model: string, detail: string}} answerer whose coordinates they are
   */
  show(marks, answerer) {
    this.#marks = marks;
    this.#answerer = answerer;
    this.#draw();
  }

  /** Set one mark off, or none. @param {Mark | null} mark */
  emphasise(mark) {
    const index = mark ? this.#marks.indexOf(mark) : -1;
    emphasise(this.#layer, index < 0 ? null : index);
    for (const chip of this.element.querySelectorAll("[data-chip]")) {
      chip.classList.toggle("legend__chip--on", chip.dataset.chip === String(index));
    }
  }

  #listen() {
    const { element } = this;
    const hover = (/** @type {any} */ { dataset }) =>
      this.#options.onHover(this.#marks[Number(dataset.mark ?? dataset.chip)]);
    for (const [hook, over, out] of [
      ["mark", "pointerover", "pointerout"],
      ["chip", "pointerover", "pointerout"],
      ["chip", "focusin", "focusout"],
    ]) {
      onWithin(element, over, hook, hover);
      onWithin(element, out, hook, () => this.#options.onHover(null));
    }
    on(find("mark-frame", element), "click", () => this.#options.onOpen(this.#picture));
    onWithin(element, "click", "toggle-marks", (button) => this.#toggle(button));
    onWithin(element, "click", "copy-marks", (button) => this.#copy(button));
    onWithin(element, "click", "save-marked", () => this.#save());
  }

  #draw() {
    const { naturalWidth: width, naturalHeight: height } = this.#image;
    if (!width) return; // Absolute coordinates need the picture's size.
    const space = coordinateSpace(this.#answerer.model, { width, height }, this.#answerer.detail);
    this.#placed = this.#marks.map((mark) => ({ mark, shares: toShares(mark.values, space) }));
    drawMarks(this.#layer, this.#placed);
    this.#drawLegend();
  }

  #drawLegend() {
    const legend = find("legend", this.element);
    while (legend.childElementCount > this.#placed.length) legend.lastElementChild.remove();
    this.#placed.forEach(({ mark }, index) => {
      const item = legend.children[index] ?? legend.appendChild(cloneTemplate("chip"));
      const chip = find("chip", item);
      chip.dataset.chip = String(index);
      chip.className = `legend__chip pointed--c${colourOf(this.#placed, index)}`;
      setText(find("chip-text", chip), mark.label || say("mark_unnamed", { number: index + 1 }));
    });
  }

  /** @param {HTMLButtonElement} button */
  #toggle(button) {
    this.#layer.hidden = !this.#layer.hidden;
    button.setAttribute("aria-pressed", String(!this.#layer.hidden));
  }

  /** @param {any} button */
  #copy(button) {
    const { naturalWidth: width, naturalHeight: height } = this.#image;
    const picture = { id: this.#picture.id, width, height };
    /** @type {Record<string, () => string>} */
    const formats = {
      json: () => asJson(this.#placed),
      csv: () => asCsv(this.#placed, picture),
      coco: () => asCoco(this.#placed, picture),
    };
    copyText(formats[button.dataset.copyMarks](), this.#options.toast);
    button.closest("details").open = false;
  }

  async #save() {
    const blob = await withMarks(this.#image, this.#placed);
    if (blob) save(blob, `${this.#picture.id}.png`);
  }
}
