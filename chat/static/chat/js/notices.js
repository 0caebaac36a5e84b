/**
 * Tells that a long answer is done to somebody who looks elsewhere: a mark in the tab's title, and
 * a notification where they asked for it. Off until then; kept in this browser.
 * Owns the switch, the offer and the mark.
 */

import { find, on, setText } from "./dom.js";
import { say } from "./texts.js";
import { offerUndo as offer } from "./undo.js";

const KEY = "vl.notify";
const LONG_MS = 10_000;
const MARK = "● ";

/** @typedef {import("./protocol.js").Frame} Frame */

export class Notices {
  #home;
  /** @type {Map<string, number>} since when each conversation is answered, in ms */
  #since = new Map();
  #switch = find("notify");

  /** @param {string} home */
  constructor(home) {
    this.#home = home;
    this.#switch.hidden = !canNotify();
    this.#draw();
    on(this.#switch, "click", () => this.#choose(!isWanted()));
    on(document, "visibilitychange", () => !document.hidden && unmark());
  }

  /** Take a `conversation` frame in. @param {Frame} frame */
  hear(frame) {
    const id = frame.conversation;
    if (frame.is_generating) {
      if (!this.#since.has(id)) this.#began(id);
      return;
    }
    const since = this.#since.get(id);
    this.#since.delete(id);
    if (since === undefined || !document.hidden || !frame.is_unread) return;
    mark();
    if (performance.now() - since >= LONG_MS) this.#notify(frame);
  }

  /** @param {string} id */
  #began(id) {
    this.#since.set(id, performance.now());
    if (!canNotify() || isDecided()) return;
    // It takes long: that is when somebody may want to be told.
    setTimeout(() => this.#since.has(id) && !isDecided() && this.#offer(), LONG_MS);
  }

  #offer() {
    if (document.querySelector("[data-undo]")) return; // one at a time
    decide("no"); // asked once; the switch stays
    offer({ text: say("notify_offer"), action: say("notify_yes") }, () => this.#choose(true));
  }

  /** @param {boolean} isOn */
  async #choose(isOn) {
    const isAllowed = isOn && (await Notification.requestPermission()) === "granted";
    decide(isAllowed ? "yes" : "no");
    this.#draw();
  }

  #draw() {
    this.#switch.setAttribute("aria-pressed", String(isWanted()));
    setText(find("notify-state", this.#switch), say(isWanted() ? "on" : "off"));
  }

  /** @param {Frame} frame */
  #notify(frame) {
    if (!isWanted()) return;
    // The same in every tab: only one is shown.
    const notice = new Notification(frame.title || say("untitled"), {
      body: say("answer_finished"),
      tag: frame.conversation,
    });
    notice.addEventListener("click", () => {
      window.focus();
      location.assign(`${this.#home}c/${frame.conversation}/`);
    });
  }
}

function canNotify() {
  return "Notification" in window && isSecureContext;
}

function isWanted() {
  return canNotify() && Notification.permission === "granted" && read() === "yes";
}

function isDecided() {
  return read() !== null;
}

/** @returns {string | null} */
function read() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return "no"; // what cannot be kept is not asked for
  }
}

/** @param {"yes" | "no"} choice */
function decide(choice) {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // As above.
  }
}

function mark() {
  if (!document.title.startsWith(MARK)) document.title = MARK + document.title;
}

function unmark() {
  if (document.title.startsWith(MARK)) document.title = document.title.slice(MARK.length);
}
