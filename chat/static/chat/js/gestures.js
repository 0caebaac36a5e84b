/**
 * Wheel, drag, pinch and double click on a pane, told as zooms and moves; a drag with one pointer can
 * be taken for pointing instead. Owns the pane's pointers. Points are CSS pixels from its middle.
 */

import { on } from "./dom.js";

/**
 * @typedef {import("./view_window.js").Point} Point
 * @typedef {{onZoom(factor: number, point: Point): void, onMove(by: Point): void,
 *   onTwice(point: Point): void, isPointing(): boolean, onPointing(from: Point, to: Point): void,
 *   onTap(target: EventTarget | null): void}} Handlers
 */

const WHEEL_STEP = 0.0016; // a notch of 120 zooms by a fifth
const LINE_PX = 40;
const TAP_PX = 6;

export class Gestures {
  #element;
  #handlers;
  /** @type {Map<number, Point>} */
  #pointers = new Map();
  /** @type {Point | null} where a single pointer went down, until a second one joins it */
  #start = null;

  /** @param {HTMLElement} element @param {Handlers} handlers */
  constructor(element, handlers) {
    this.#element = element;
    this.#handlers = handlers;
    on(element, "wheel", (event) => this.#wheel(event), { passive: false });
    on(element, "dblclick", (event) => handlers.isPointing() || handlers.onTwice(this.#pointOf(event)));
    on(element, "pointerdown", (event) => this.#down(event));
    on(element, "pointermove", (event) => this.#move(event));
    on(element, "pointerup", (event) => this.#up(event));
    on(element, "pointercancel", (event) => this.#forget(event.pointerId));
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === event.DOM_DELTA_LINE ? LINE_PX : 1);
    this.#handlers.onZoom(Math.exp(-pixels * WHEEL_STEP), this.#pointOf(event));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    event.preventDefault(); // No dragging of the image itself.
    this.#element.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#pointOf(event));
    this.#start = this.#pointers.size === 1 ? this.#pointOf(event) : null;
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const point = this.#pointOf(event);
    const pinched = this.#pinch;
    this.#pointers.set(event.pointerId, point);
    if (pinched && this.#pinch) this.#pinchTo(pinched, this.#pinch);
    else if (this.#start && this.#handlers.isPointing()) this.#handlers.onPointing(this.#start, point);
    else this.#handlers.onMove({ x: point.x - before.x, y: point.y - before.y });
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const start = this.#start;
    if (!this.#forget(event.pointerId) || !start) return;
    const point = this.#pointOf(event);
    const isTap = Math.hypot(point.x - start.x, point.y - start.y) < TAP_PX;
    if (this.#handlers.isPointing()) this.#handlers.onPointing(start, isTap ? start : point);
    else if (isTap) this.#handlers.onTap(document.elementFromPoint(event.clientX, event.clientY));
  }

  /** @param {number} id @returns {boolean} whether it was ours */
  #forget(id) {
    this.#start = null;
    return this.#pointers.delete(id);
  }

  /** The middle and the spread of two pointers. */
  get #pinch() {
    if (this.#pointers.size !== 2) return null;
    const [a, b] = this.#pointers.values();
    return {
      middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 },
      spread: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)),
    };
  }

  /**
   * @param {{middle: Point, spread: number}} before
   * @param {{middle: Point, spread: number}} after
   */
  #pinchTo(before, after) {
    this.#handlers.onZoom(after.spread / before.spread, after.middle);
    this.#handlers.onMove({
      x: after.middle.x - before.middle.x,
      y: after.middle.y - before.middle.y,
    });
  }

  /** @param {MouseEvent} event @returns {Point} */
  #pointOf(event) {
    const box = this.#element.getBoundingClientRect();
    return {
      x: event.clientX - box.left - box.width / 2,
      y: event.clientY - box.top - box.height / 2,
    };
  }
}
