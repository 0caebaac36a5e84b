/**
 * One WebSocket that comes back: heartbeat, dead-connection detection, backoff with jitter.
 * Owns the connection and its timers; is given the WebSocket class, the clock and the random
 * source; knows no page and no meaning of frames.
 */

import { CLOSE_CODES, decode, pingFrame } from "./protocol.js";

/**
 * @typedef {"connecting" | "connected" | "reconnecting" | "offline" | "signed-out" | "closed"} SocketState
 * @typedef {{now(): number, setTimeout(run: () => void, ms: number): any, clearTimeout(timer: any): void}} Clock
 * @typedef {import("./protocol.js").Frame} Frame
 */

export const PING_EVERY_MS = 30_000;
export const PONG_WITHIN_MS = 10_000;
export const CONNECT_WITHIN_MS = 15_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const FLOODING_WAIT_MS = 15_000;

export class ChatSocket {
  /** @type {SocketState} */
  state = "closed";
  #options;
  /** @type {any} */
  #socket = null;
  /** @type {Set<any>} */
  #timers = new Set();
  #failures = 0;
  #isOnline = true;
  #lastFrameAt = 0;

  /**
   * @param {{url: string, WebSocket: any, clock: Clock, random?: () => number,
   *   onFrame(frame: Frame): void, onState(state: SocketState): void}} options
   */
  constructor(options) {
    this.#options = { random: Math.random, ...options };
  }

  /** Connect, and keep connected until `stop`. */
  start() {
    this.#failures = 0;
    this.#connect("connecting");
  }

  /** Disconnect for good. */
  stop() {
    this.#drop();
    this.#enter("closed");
  }

  /**
   * Send a frame now; false when it could not leave.
   * @param {Frame} frame
   * @returns {boolean}
   */
  send(frame) {
    if (this.state !== "connected") return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /**
   * Hear that the network came or went.
   * @param {boolean} isOnline
   */
  setOnline(isOnline) {
    if (this.#isEnded()) return;
    this.#isOnline = isOnline;
    if (isOnline) this.wake();
    else this.#lose();
  }

  /** Try again at once instead of at the end of the wait: the reader is back at the page. */
  wake() {
    if (this.#isEnded()) return;
    if (this.state === "connected") this.#ping();
    else if (!this.#socket) this.#connect("reconnecting");
  }

  /** @param {SocketState} state */
  #connect(state) {
    this.#drop();
    this.#enter(state);
    const socket = new this.#options.WebSocket(this.#options.url);
    this.#socket = socket;
    socket.onmessage = (/** @type {{data: unknown}} */ event) => this.#received(event.data);
    socket.onclose = (/** @type {{code: number}} */ event) => this.#closed(event.code);
    socket.onerror = () => {}; // `close` follows and says more.
    // To the first frame: something in between may open the socket and swallow what goes through.
    this.#after(CONNECT_WITHIN_MS, () => this.#lose());
  }

  /** @param {unknown} data */
  #received(data) {
    this.#failures = 0;
    this.#lastFrameAt = this.#options.clock.now();
    if (this.state !== "connected") this.#opened();
    const frame = decode(data);
    if (frame && frame.type !== "pong") this.#options.onFrame(frame);
  }

  #opened() {
    this.#clearTimers();
    this.#enter("connected");
    this.#schedulePing();
  }

  /** @param {number} code */
  #closed(code) {
    if (code === CLOSE_CODES.SIGNED_OUT) {
      this.#drop();
      this.#enter("signed-out");
    } else {
      this.#lose(code === CLOSE_CODES.FLOODING ? FLOODING_WAIT_MS : 0);
    }
  }

  #lose(atLeastMs = 0) {
    this.#drop();
    this.#enter(this.#isOnline ? "reconnecting" : "offline");
    const longest = Math.min(FIRST_WAIT_MS * 2 ** this.#failures, LONGEST_WAIT_MS);
    this.#failures += 1;
    const wait = Math.max(atLeastMs, longest * (0.5 + this.#options.random() / 2));
    // Also while offline: what the browser says about the network can be wrong.
    this.#after(wait, () => this.#connect(this.state));
  }

  #schedulePing() {
    this.#after(PING_EVERY_MS, () => this.#ping());
  }

  #ping() {
    this.#clearTimers();
    const sentAt = this.#options.clock.now();
    this.send(pingFrame(sentAt));
    this.#after(PONG_WITHIN_MS, () => {
      // Any frame proves that the connection lives, not only the pong.
      if (this.#lastFrameAt < sentAt) this.#lose();
      else this.#schedulePing();
    });
  }

  #isEnded() {
    return this.state === "closed" || this.state === "signed-out";
  }

  #drop() {
    this.#clearTimers();
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  /** @param {SocketState} state */
  #enter(state) {
    if (this.state === state) return;
    this.state = state;
    this.#options.onState(state);
  }

  /** @param {number} ms @param {() => void} run */
  #after(ms, run) {
    const timer = this.#options.clock.setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  #clearTimers() {
    for (const timer of this.#timers) this.#options.clock.clearTimeout(timer);
    this.#timers.clear();
  }
}
