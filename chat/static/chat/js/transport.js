/**
 * The page's way to the server: a socket, and HTTP for as long as none gets through.
 * Owns both and decides which one speaks; knows no page. The socket goes on trying meanwhile, and
 * takes over as soon as it hears something.
 */

import { HttpTransport } from "./http_transport.js";
import { ChatSocket } from "./socket.js";

/**
 * @typedef {import("./protocol.js").Frame} Frame
 * @typedef {import("./socket.js").SocketState} SocketState
 * @typedef {{isBlocked: boolean}} Memory whether sockets were blocked here when last tried
 */

export const FALLBACK_AFTER_MS = 4_000;

export class Transport {
  /** @type {SocketState} */
  state = "closed";
  #options;
  #socket;
  #http;
  /** @type {any} */
  #timer = null;
  #isTrying = false;
  #isSignedOut = false;

  /**
   * @param {{url: string, api: string, WebSocket: any, EventSource: any,
   *   fetch(url: string, options?: any): Promise<any>, clock: import("./socket.js").Clock,
   *   random?: () => number, memory: Memory, csrfToken(): string,
   *   onFrame(frame: Frame): void, onState(state: SocketState): void}} options
   */
  constructor(options) {
    this.#options = options;
    this.#socket = new ChatSocket({ ...options, onState: (state) => this.#socketChanged(state) });
    this.#http = new HttpTransport({
      ...options,
      onLost: () => this.#httpLost(),
      onSignedOut: () => this.#signedOut(),
    });
  }

  /** Connect, and keep connected until `stop`. */
  start() {
    this.#socket.start();
    if (this.#options.memory.isBlocked) this.#tryHttp();
  }

  /** Disconnect for good. */
  stop() {
    this.#socket.stop();
  }

  /**
   * Send a frame now; false when it could not leave.
   * @param {Frame} frame
   * @returns {boolean}
   */
  send(frame) {
    return this.#socket.send(frame) || this.#http.send(frame);
  }

  /** @param {boolean} isOnline */
  setOnline(isOnline) {
    this.#socket.setOnline(isOnline);
  }

  /** The reader is back at the page. */
  wake() {
    this.#socket.wake();
    this.#http.look();
  }

  /** @param {SocketState} state */
  #socketChanged(state) {
    if (this.#isSignedOut) return;
    if (state === "connecting" || state === "reconnecting") {
      if (this.#http.isConnected) return;
      this.#tryHttpLater();
    } else {
      this.#leaveHttp();
      if (state === "connected") this.#options.memory.isBlocked = false;
    }
    this.#enter(state);
  }

  #tryHttpLater() {
    if (this.#timer !== null) return;
    this.#timer = this.#options.clock.setTimeout(() => this.#tryHttp(), FALLBACK_AFTER_MS);
  }

  async #tryHttp() {
    this.#clearTimer();
    if (this.#isTrying) return;
    this.#isTrying = true;
    const info = await this.#http.start();
    this.#isTrying = false;
    if (this.state !== "connecting" && this.state !== "reconnecting") {
      this.#http.stop(); // the socket was faster, or all has ended
    } else if (info === null) {
      this.#tryHttpLater();
    } else {
      this.#options.memory.isBlocked = true;
      this.#clearTimer();
      this.#enter("connected");
      this.#options.onFrame(info);
    }
  }

  #leaveHttp() {
    this.#clearTimer();
    this.#http.stop();
  }

  #httpLost() {
    this.#enter("reconnecting");
    this.#tryHttpLater();
  }

  #signedOut() {
    this.#isSignedOut = true;
    this.#socket.stop();
    this.#leaveHttp();
    this.#enter("signed-out");
  }

  /**
   * Tell also of `connected` after `connected`: another way speaks now, and has to be told what is
   * followed here.
   * @param {SocketState} state
   */
  #enter(state) {
    if (state === this.state && state !== "connected") return;
    this.state = state;
    this.#options.onState(state);
  }

  #clearTimer() {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
