/**
 * Pointing back: a box or a point on the picture in the viewer, and what to do with it.
 * Owns the region, its element and its buttons.
 */

import { cloneTemplate, find, on } from "./dom.js";
import { cropped } from "./picture_canvas.js";
import { MIDDLE_BOX, cutOf, shifted } from "./region.js";
import { ARROWS } from "./viewer_keys.js";

/**
 * @typedef {import("./region.js").Region} Region
 * @typedef {import("./view_window.js").Point} Point
 */

const KEY_STEP = 0.02; // of the picture's sides

export class ViewerPointer {
  #dialog;
  #options;
  #element = cloneTemplate("region");
  /** @type {Region | null} null while nothing is pointed at */
  #region = null;
  #isOn = false;

  /**
   * @param {HTMLElement} dialog
   * @param {{sheet(): HTMLElement, image(): HTMLImageElement, onAsk(region: Region): void,
   *   onCrop(picture: Blob): void}} options
   */
  constructor(dialog, options) {
    this.#dialog = dialog;
    this.#options = options;
    on(find("region-ask", dialog), "click", () => this.#ask());
    on(find("region-crop", dialog), "click", () => this.#crop());
  }

  get isOn() {
    return this.#isOn;
  }

  /** Begin or end pointing. It begins with a box, for those who point by keys. */
  toggle() {
    this.#isOn = !this.#isOn;
    this.show(this.#isOn ? MIDDLE_BOX : null);
  }

  end() {
    this.#isOn = false;
    this.show(null);
  }

  /** @param {Region | null} region */
  show(region) {
    this.#region = region;
    find("pointing", this.#dialog).setAttribute("aria-pressed", String(this.#isOn));
    this.#dialog.classList.toggle("viewer--pointing", this.#isOn);
    find("region-tools", this.#dialog).hidden = region === null;
    if (region === null) {
      this.#element.remove();
      return;
    }
    const [x1, y1, x2 = x1, y2 = y1] = region.shares;
    const { style } = this.#element;
    this.#element.className = `region region--${region.kind}`;
    style.left = `${x1 * 100}%`;
    style.top = `${y1 * 100}%`;
    style.width = `${(x2 - x1) * 100}%`;
    style.height = `${(y2 - y1) * 100}%`;
    this.#options.sheet().append(this.#element);
  }

  /**
   * Move the region, ask about it or end by keys.
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key was for the region
   */
  pressed(event) {
    if (!this.#isOn) return false;
    const isOnButton = /** @type {Element} */ (event.target).closest("button") !== null;
    const arrow = ARROWS[event.key];
    if (arrow) this.#nudge(arrow, event.shiftKey);
    else if (event.key === "Escape") this.end();
    else if (event.key === "Enter" && !isOnButton) this.#ask();
    else return false;
    event.preventDefault();
    return true;
  }

  /** @param {Point} direction @param {boolean} resizes */
  #nudge(direction, resizes) {
    const by = { x: direction.x * KEY_STEP, y: direction.y * KEY_STEP };
    this.show(shifted(this.#region ?? MIDDLE_BOX, by, { resizes }));
  }

  #ask() {
    if (this.#region) this.#options.onAsk(this.#region);
  }

  async #crop() {
    if (!this.#region) return;
    const picture = await cropped(this.#options.image(), cutOf(this.#region));
    if (picture) this.#options.onCrop(picture);
  }
}
