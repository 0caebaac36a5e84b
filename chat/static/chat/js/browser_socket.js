/** Gives the page's transport what the browser has: addresses, WebSocket, clock. Owns nothing. */

import { cookie, readData } from "./dom.js";
import { Transport } from "./transport.js";

const BLOCKED_KEY = "vl.sockets-blocked";

/** @type {import("./socket.js").Clock} */
export const browserClock = {
  now: () => performance.now(),
  setTimeout: (run, ms) => window.setTimeout(run, ms),
  clearTimeout: (timer) => window.clearTimeout(timer),
};

/**
 * Make the transport of this page.
 * @param {string} path
 * @param {{onFrame(frame: import("./protocol.js").Frame): void,
 *   onState(state: import("./socket.js").SocketState): void}} listeners
 * @returns {Transport}
 */
export function browserSocket(path, listeners) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const page = readData("page-data");
  return new Transport({
    url: url.href,
    api: page.urls.api,
    WebSocket,
    EventSource,
    fetch: (address, options) => fetch(address, options),
    clock: browserClock,
    memory,
    csrfToken: () => cookie(page.csrf_cookie),
    ...listeners,
  });
}

/** Whether sockets were blocked, for the next page of this tab: it shall not wait to find out. */
const memory = {
  get isBlocked() {
    try {
      return sessionStorage.getItem(BLOCKED_KEY) !== null;
    } catch {
      return false; // a storage that refuses costs a wait
    }
  },
  set isBlocked(isBlocked) {
    try {
      if (isBlocked) sessionStorage.setItem(BLOCKED_KEY, "1");
      else sessionStorage.removeItem(BLOCKED_KEY);
    } catch {
      // As above.
    }
  },
};
