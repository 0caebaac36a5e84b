/**
 * The wire without a socket: frames go out as HTTP calls and come in as Server-Sent Events.
 * Owns the event streams and the timer of its looks; is given fetch, EventSource and the clock;
 * knows no page. Tabs elsewhere are noticed by looking, a few seconds late.
 */

/**
 * @typedef {import("./protocol.js").Frame} Frame
 * @typedef {import("./socket.js").Clock} Clock
 * @typedef {{api: string, fetch(url: string, options?: any): Promise<any>, EventSource: any, clock: Clock,
 *   csrfToken(): string, onFrame(frame: Frame): void, onLost(): void, onSignedOut(): void}} HttpOptions
 */

export const LOOK_EVERY_MS = 5_000;
const EVENTS = ["status", "partial", "final", "error"];
const CLOSED = 2; // EventSource.readyState: it does not try again by itself
const UNAUTHENTICATED = 401;
const NOT_FOUND = 404;

export class HttpTransport {
  isConnected = false;
  #options;
  /** @type {Map<string, any>} */
  #streams = new Map();
  /** @type {string | null} */
  #conversation = null;
  /** @type {any} */
  #timer = null;

  /** @param {HttpOptions} options */
  constructor(options) {
    this.#options = options;
  }

  /**
   * See whether the server can be reached this way.
   * @returns {Promise<Frame | null>} its `info`
   */
  async start() {
    const answer = await this.#call("GET", "info/");
    if (!answer?.ok) return null;
    this.isConnected = true;
    return { ...answer.body, type: "info" };
  }

  /** Follow nothing any more. */
  stop() {
    this.isConnected = false;
    this.#conversation = null;
    this.#options.clock.clearTimeout(this.#timer);
    for (const reply of [...this.#streams.keys()]) this.#unfollow(reply);
  }

  /**
   * Send a frame; false when it could not leave.
   * @param {Frame} frame
   * @returns {boolean}
   */
  send(frame) {
    if (!this.isConnected) return false;
    const path = turnPath(frame);
    if (path) this.#ask(path, frame);
    else if (frame.type === "stop") this.#stopReply(frame);
    else if (frame.type === "resume") this.#follow(frame.reply, frame.offset);
    else if (frame.type === "open") this.#open(frame.conversation);
    return true;
  }

  /** Look at the open conversation now. */
  async look() {
    this.#options.clock.clearTimeout(this.#timer);
    const conversation = this.#conversation;
    if (!conversation) return;
    const answer = await this.#call("GET", `conversations/${conversation}/`);
    if (!this.isConnected || conversation !== this.#conversation) return;
    if (answer?.ok) {
      const { unread, ...card } = answer.body;
      this.#tell({ ...card, is_unread: unread, type: "conversation", conversation });
    }
    else if (answer?.status === NOT_FOUND) {
      this.#tell({ type: "conversation", conversation, is_deleted: true });
      return;
    }
    this.#timer = this.#options.clock.setTimeout(() => this.look(), LOOK_EVERY_MS);
  }

  /** @param {string} path @param {Frame} frame */
  async #ask(path, frame) {
    const answer = await this.#call("POST", path, frame);
    if (!answer) this.#lose();
    else if (!answer.ok) this.#refuse(answer, { id: frame.id });
    else this.#accepted(answer.body);
  }

  /** @param {Record<string, any>} turn */
  #accepted(turn) {
    this.#tell({ ...turn, type: "accepted" });
    if (!this.isConnected) return;
    this.#follow(turn.reply, 0);
    this.#open(turn.conversation);
  }

  /** @param {Frame} frame */
  async #stopReply({ reply, seen }) {
    const answer = await this.#call("POST", `replies/${reply}/stop/`, { seen });
    if (!answer) this.#lose();
    else if (!answer.ok) this.#refuse(answer, { reply });
  }

  /** @param {string} conversation */
  #open(conversation) {
    this.#conversation = conversation;
    this.look();
  }

  /** @param {string} reply @param {number} offset */
  #follow(reply, offset) {
    this.#unfollow(reply);
    const stream = new this.#options.EventSource(
      `${this.#options.api}replies/${reply}/events/?offset=${offset}`,
    );
    this.#streams.set(reply, stream);
    for (const name of EVENTS) {
      stream.addEventListener(name, (/** @type {any} */ event) => this.#hear(reply, stream, event));
    }
  }

  /** @param {string} reply @param {any} stream @param {{data?: string}} event */
  #hear(reply, stream, event) {
    if (this.#streams.get(reply) !== stream) return;
    // `error` is an event of ours, with data, and the browser's own word for a lost connection.
    if (event.data === undefined) {
      if (stream.readyState === CLOSED) this.#lose();
      return;
    }
    const frame = JSON.parse(event.data);
    if (frame.type === "final" || frame.type === "error") this.#unfollow(reply);
    if (frame.code === "unauthenticated") this.#signOut();
    else this.#tell(frame);
  }

  /** @param {string} reply */
  #unfollow(reply) {
    this.#streams.get(reply)?.close();
    this.#streams.delete(reply);
  }

  /**
   * @param {string} method @param {string} path @param {unknown} [body]
   * @returns {Promise<{ok: boolean, status: number, body: any, wait_s: number} | null>} null when
   *   nothing that this server says came back
   */
  async #call(method, path, body) {
    try {
      const response = await this.#options.fetch(this.#options.api + path, {
        method,
        headers: { "X-CSRFToken": this.#options.csrfToken(), "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      if (response.status === UNAUTHENTICATED) this.#signOut();
      const text = await response.text();
      return {
        ok: response.ok,
        status: response.status,
        body: text ? JSON.parse(text) : {},
        wait_s: Number(response.headers.get("Retry-After")),
      };
    } catch {
      return null; // away, or something in between answered in its place
    }
  }

  /** @param {{body: any, wait_s: number}} answer @param {Record<string, string>} subject */
  #refuse({ body, wait_s }, subject) {
    const { code, message } = body.error ?? {};
    if (code === "unauthenticated") return;
    const frame = { type: "error", code, content: message, ...subject };
    this.#tell(wait_s ? { ...frame, retry_after_s: wait_s } : frame);
  }

  /** @param {Frame} frame */
  #tell(frame) {
    if (this.isConnected) this.#options.onFrame(frame);
  }

  #lose() {
    if (!this.isConnected) return;
    this.stop();
    this.#options.onLost();
  }

  #signOut() {
    this.stop();
    this.#options.onSignedOut();
  }
}

/** Say where a frame that starts a turn goes; null for all others. @param {Frame} frame */
function turnPath(frame) {
  if (frame.type === "edit") return `messages/${frame.message}/edit/`;
  if (frame.type === "continue") return `replies/${frame.reply}/continue/`;
  if (frame.type === "regenerate") return `replies/${frame.reply}/regenerate/`;
  if (frame.type !== "message") return null;
  return frame.conversation ? `conversations/${frame.conversation}/turns/` : "conversations/";
}
