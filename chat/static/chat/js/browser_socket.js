/** Gives the socket what the browser has: address, WebSocket, clock. Owns nothing. */

import { ChatSocket } from "./socket.js";

/**
 * Make a socket of this page.
 * @param {string} path
 * @param {{onFrame(frame: import("./protocol.js").Frame): void,
 *   onState(state: import("./socket.js").SocketState): void}} listeners
 * @returns {ChatSocket}
 */
export function browserSocket(path, listeners) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const clock = {
    now: () => performance.now(),
    setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => window.setTimeout(run, ms),
    clearTimeout: (/** @type {number} */ timer) => window.clearTimeout(timer),
  };
  return new ChatSocket({ url: url.href, WebSocket, clock, ...listeners });
}
