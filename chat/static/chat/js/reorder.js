/**
 * Moving the elements of a list: dragged by a pointer, or by the arrow keys on one of their buttons.
 * Owns the drag; the order is whoever's `move` is.
 */

import { on, onWithin } from "./dom.js";

const DRAG_FROM_PX = 6;

/**
 * Watch a list.
 * @param {HTMLElement} list
 * @param {{grip: string, keys: string, move(from: number, to: number): void}} options hooks of what is
 *   dragged and of the button that hears the arrow keys, within each element of the list
 */
export function watchReorder(list, { grip, keys, move }) {
  const indexOf = (/** @type {Element} */ part) =>
    [...list.children].findIndex((element) => element.contains(part));

  onWithin(list, "keydown", keys, (button, event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[/** @type {string} */ (event.key)];
    const from = indexOf(button);
    const to = from + (step ?? 0);
    if (!step || to < 0 || to >= list.children.length) return;
    event.preventDefault();
    move(from, to);
    button.focus();
  });

  onWithin(list, "pointerdown", grip, (part, event) => {
    if (event.button !== 0 || event.target.closest("button")) return;
    const dragged = /** @type {HTMLElement} */ (list.children[indexOf(part)]);
    const releases = [
      on(document, "pointermove", (moved) => drag(dragged, event, moved)),
      ...["pointerup", "pointercancel"].map((type) => on(document, type, end)),
    ];
    function end() {
      delete dragged.dataset.dragged;
      for (const release of releases) release();
    }
  });

  /** @param {HTMLElement} dragged @param {PointerEvent} start @param {PointerEvent} moved */
  function drag(dragged, start, moved) {
    if (moved.pointerId !== start.pointerId || !dragged.isConnected) return;
    const distance = Math.hypot(moved.clientX - start.clientX, moved.clientY - start.clientY);
    if (dragged.dataset.dragged === undefined && distance < DRAG_FROM_PX) return;
    dragged.dataset.dragged = "";
    const over = [...list.children].findIndex((element) => isOver(element, moved));
    if (over !== -1 && list.children[over] !== dragged) move(indexOf(dragged), over);
  }
}

/** @param {Element} element @param {PointerEvent} point */
function isOver(element, { clientX, clientY }) {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  return left <= clientX && clientX <= right && top <= clientY && clientY <= bottom;
}
