/**
 * The pictures of the conversation in full: enlarge, move, leaf through, compare two.
 * Owns its dialog and the window through which the pictures are seen.
 */

import { find, on, onWithin, setText } from "./dom.js";
import { say } from "./texts.js";
import { regionBetween } from "./region.js";
import { WHOLE, moved, shareAt, zoomed } from "./view_window.js";
import { ARROWS, KEYS } from "./viewer_keys.js";
import { ViewerPane } from "./viewer_pane.js";
import { ViewerPointer } from "./viewer_pointer.js";

/**
 * @typedef {import("./transcript_pictures.js").Picture} Picture
 * @typedef {import("./view_window.js").Point} Point
 * @typedef {{pictures(): Picture[],
 *   onAsk(region: import("./region.js").Region, picture: SeenPicture): void,
 *   onCrop(picture: Blob): void}} ViewerOptions
 * @typedef {{number: number, count: number, width: number, height: number}} SeenPicture `number` of
 *   `count` in the conversation; its size in its own pixels
 */

const ZOOM_STEP = 1.25;
const TWICE_ZOOM = 3;
const MOVE_STEP_PX = 60;
const MIDDLE = { x: 0, y: 0 };

export class Viewer {
  #dialog;
  #options;
  #panes;
  #pointer;
  /** @type {Picture[]} */
  #pictures = [];
  #index = 0;
  #other = 0;
  #window = WHOLE;
  #isBeside = false;

  /** @param {HTMLDialogElement} dialog @param {ViewerOptions} options */
  constructor(dialog, options) {
    this.#dialog = dialog;
    this.#options = options;
    this.#panes = [this.#makePane(), this.#makePane()];
    find("panes", dialog).append(...this.#panes.map(({ element }) => element));
    this.#pointer = this.#makePointer();
    const actions = this.#actions();
    onWithin(dialog, "click", "viewer-action", ({ dataset }) => actions[dataset.viewerAction]());
    on(dialog, "keydown", (event) => this.#pressed(event, actions));
    on(dialog, "close", () => this.#closed());
    // The window's size changes, and the region's tools take a row.
    new ResizeObserver(() => dialog.open && this.#draw()).observe(find("panes", dialog));
  }

  /** Show a picture of the conversation. @param {string} id */
  open(id) {
    this.#pictures = this.#options.pictures();
    this.#isBeside = false;
    this.#go(this.#pictures.findIndex((picture) => picture.id === id));
    this.#dialog.showModal();
    this.#draw();
  }

  /** @returns {Record<string, () => void>} */
  #actions() {
    return {
      previous: () => this.#go(this.#index - 1),
      next: () => this.#go(this.#index + 1),
      "zoom-in": () => this.#zoom(ZOOM_STEP, MIDDLE),
      "zoom-out": () => this.#zoom(1 / ZOOM_STEP, MIDDLE),
      whole: () => this.#look(WHOLE),
      beside: () => this.#toggleBeside(),
      blink: () => this.#blink(),
      point: () => this.#togglePointing(),
      close: () => this.#dialog.close(),
    };
  }

  #makePointer() {
    return new ViewerPointer(this.#dialog, {
      sheet: () => this.#panes[0].sheet,
      image: () => this.#panes[0].image,
      onAsk: (region) => {
        const { naturalWidth: width, naturalHeight: height } = this.#panes[0].image;
        const count = this.#pictures.length;
        this.#dialog.close();
        this.#options.onAsk(region, { number: this.#index + 1, count, width, height });
      },
      onCrop: (picture) => {
        this.#dialog.close();
        this.#options.onCrop(picture);
      },
    });
  }

  #makePane() {
    const pane = new ViewerPane(
      {
        onZoom: (factor, point) => this.#zoom(factor, point),
        onMove: (by) => this.#move(by),
        onTwice: (point) => this.#zoom(this.#window.scale > 1 ? 0 : TWICE_ZOOM, point),
        onTap: (target) => target === pane.element && this.#dialog.close(),
        isPointing: () => this.#pointer.isOn,
        onPointing: (from, to) => this.#point(from, to),
      },
      () => this.#draw(),
    );
    return pane;
  }

  /** @param {KeyboardEvent} event @param {Record<string, () => void>} actions */
  #pressed(event, actions) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#pointer.pressed(event)) return;
    const action = KEYS[event.key];
    const arrow = ARROWS[event.key];
    if (!action && !arrow) return;
    event.preventDefault();
    if (action) actions[action]();
    else if (this.#window.scale > 1) this.#move({ x: -arrow.x * MOVE_STEP_PX, y: -arrow.y * MOVE_STEP_PX });
    else if (arrow.x) this.#go(this.#index + arrow.x);
  }

  #togglePointing() {
    this.#isBeside = false;
    this.#draw();
    this.#pointer.toggle();
    if (this.#pointer.isOn) this.#dialog.focus();
  }

  /** @param {Point} from @param {Point} to both from the pane's middle */
  #point(from, to) {
    const bounds = this.#panes[0].bounds(this.#paneSize);
    if (!bounds) return;
    const [start, end] = [from, to].map((point) => shareAt(this.#window, point, bounds));
    this.#pointer.show(regionBetween(start, end));
  }

  #closed() {
    this.#pointer.end();
    this.#panes.forEach((pane) => pane.clear());
  }

  /** @param {number} index beyond the last comes the first */
  #go(index) {
    const count = this.#pictures.length;
    this.#index = (index + count) % count;
    this.#other = (this.#index + 1) % count;
    this.#window = WHOLE;
    this.#pointer.end();
    this.#draw();
  }

  #toggleBeside() {
    if (this.#pictures.length < 2) return;
    this.#pointer.end();
    this.#isBeside = !this.#isBeside;
    this.#look(WHOLE);
  }

  /** Show the other picture through the same window: what differs jumps to the eye. */
  #blink() {
    this.#pointer.end();
    [this.#index, this.#other] = [this.#other, this.#index];
    this.#panes.reverse(); // Both are loaded: nothing flickers.
    this.#draw();
  }

  /** @param {number} factor 0 for the whole picture @param {Point} point */
  #zoom(factor, point) {
    const bounds = this.#panes[0].bounds(this.#paneSize);
    if (bounds) this.#look(zoomed(this.#window, factor, point, bounds));
  }

  /** @param {Point} by in CSS pixels */
  #move(by) {
    const bounds = this.#panes[0].bounds(this.#paneSize);
    if (bounds) this.#look(moved(this.#window, by, bounds));
  }

  /** @param {import("./view_window.js").Window} window */
  #look(window) {
    this.#window = window;
    this.#draw();
  }

  get #paneSize() {
    const { clientWidth: width, clientHeight: height } = find("panes", this.#dialog);
    // As viewer.css lays two panes out: side by side, or one above the other on a tall screen.
    if (!this.#isBeside) return { width, height };
    return width > height ? { width: width / 2, height } : { width, height: height / 2 };
  }

  #draw() {
    const count = this.#pictures.length;
    const number = this.#index + 1;
    const places = [this.#index, this.#other];
    find("panes", this.#dialog).classList.toggle("viewer__panes--beside", this.#isBeside);
    this.#panes.forEach((pane, i) => {
      if (i === 0 || count > 1) pane.show(this.#pictures[places[i]], places[i] + 1);
      pane.element.hidden = i > 0 && !this.#isBeside;
      pane.element.style.order = String(i);
      pane.draw(this.#window, this.#paneSize);
    });
    setText(find("viewer-count", this.#dialog), count > 1 ? say("picture_count", { number, count }) : "");
    find("viewer-several", this.#dialog).hidden = count < 2;
    find("viewer-beside", this.#dialog).setAttribute("aria-pressed", String(this.#isBeside));
  }
}
