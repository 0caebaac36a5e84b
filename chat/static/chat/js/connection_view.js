/**
 * Shows whether the page is connected, and who answers. Owns the top bar's state and the banner.
 */

import { forgetKept } from "./app.js";
import { find, setText } from "./dom.js";
import { bannerOf } from "./stage_text.js";
import { say } from "./texts.js";

/** @typedef {import("./socket.js").SocketState} SocketState */

export class ConnectionView {
  #connection;
  #banner;
  /** @type {SocketState} */
  #state = "connecting";
  /** @type {import("./protocol.js").Frame | null} */
  #info = null;

  /** @param {ParentNode} root */
  constructor(root) {
    this.#connection = find("connection", root);
    this.#banner = find("banner", root);
  }

  /** @param {SocketState} state */
  showState(state) {
    this.#state = state;
    if (state === "signed-out") forgetKept();
    this.#connection.dataset.state = state;
    setText(find("connection-text", this.#connection), say(state.replace("-", "_")));
    this.#drawBanner();
  }

  /** @param {import("./protocol.js").Frame | null} info */
  showInfo(info) {
    if (info === this.#info) return;
    this.#info = info;
    this.#drawBanner();
  }

  #drawBanner() {
    const isSignedOut = this.#state === "signed-out";
    const words = this.#words();
    this.#banner.hidden = !words;
    this.#banner.dataset.kind = words?.isWrong ? "wrong" : "plain";
    setText(find("banner-text", this.#banner), words?.text ?? "");
    const link = find("banner-link", this.#banner);
    link.hidden = !isSignedOut;
    if (isSignedOut) {
      const next = encodeURIComponent(location.pathname);
      link.href = `${link.pathname}?next=${next}`;
    }
  }

  #words() {
    if (this.#state === "signed-out") return { text: say("signed_out"), isWrong: true };
    if (this.#state === "offline") return { text: say("offline"), isWrong: true };
    return bannerOf(this.#info);
  }
}
