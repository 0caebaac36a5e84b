/**
 * One picture in the viewer: as large and as far moved as it is told. Owns its elements.
 */

import { cloneTemplate, find, on } from "./dom.js";
import { Gestures } from "./gestures.js";
import { say } from "./texts.js";
import { boundsOf, within } from "./view_window.js";

/**
 * @typedef {import("./transcript_pictures.js").Picture} Picture
 * @typedef {import("./view_window.js").Bounds} Bounds
 * @typedef {import("./view_window.js").Size} Size
 */

export class ViewerPane {
  element = cloneTemplate("pane");
  /** @type {HTMLElement} what lies over the picture moves with it */
  sheet = find("sheet", this.element);
  /** @type {HTMLImageElement} */
  image = find("viewer-image", this.element);

  /** @param {import("./gestures.js").Handlers} handlers @param {() => void} onLoad */
  constructor(handlers, onLoad) {
    on(this.image, "load", onLoad);
    new Gestures(this.element, handlers);
  }

  /** @param {Picture} picture @param {number} number its number in the conversation */
  show({ url }, number) {
    if (this.image.getAttribute("src") !== url) {
      this.sheet.hidden = true; // Until its size is known.
      this.image.src = url;
    }
    this.image.alt = say("picture_number", { number });
  }

  clear() {
    this.image.removeAttribute("src");
  }

  /** @param {Size} pane @returns {Bounds | null} null until the picture is there */
  bounds(pane) {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    return width ? boundsOf({ width, height }, pane) : null;
  }

  /** @param {import("./view_window.js").Window} window @param {Size} pane */
  draw(window, pane) {
    const bounds = this.bounds(pane);
    this.sheet.hidden = bounds === null;
    if (!bounds) return;
    const { scale, x, y } = within(window, bounds);
    this.sheet.style.width = `${bounds.fit.width * scale}px`;
    this.sheet.style.height = `${bounds.fit.height * scale}px`;
    this.sheet.style.translate = `calc(${x}px - 50%) calc(${y}px - 50%)`;
  }
}
