/**
 * The keys of the viewer. Pure; templates/chat/_viewer.html names them on the buttons.
 */

/** @type {Record<string, string>} what the button of this name does */
export const KEYS = {
  "+": "zoom-in",
  "=": "zoom-in",
  "-": "zoom-out",
  0: "whole",
  PageUp: "previous",
  PageDown: "next",
  s: "beside",
  b: "blink",
  p: "point",
};

/** @type {Record<string, import("./view_window.js").Point>} */
export const ARROWS = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};
