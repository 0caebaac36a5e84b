/**
 * What the page chooser is at: uploading, failed, choosing, drawing; with progress and one line of text.
 * Owns the line, the bar, the retry button and whether anything can be chosen.
 */

import { find, setText } from "./dom.js";

export class ChooserStatus {
  #dialog;

  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.#dialog = dialog;
  }

  /** @param {"uploading" | "failed" | "choosing" | "drawing"} stage */
  show(stage, { canRetry = false } = {}) {
    this.#dialog.dataset.stage = stage;
    find("pages-progress", this.#dialog).hidden = stage === "failed" || stage === "choosing";
    find("pages-retry", this.#dialog).hidden = !canRetry;
    find("pages-choice", this.#dialog).disabled = stage !== "choosing";
  }

  /** @param {string} text @param {boolean} [isWrong] */
  say(text, isWrong = false) {
    const line = find("pages-status", this.#dialog);
    setText(line, text);
    line.classList.toggle("page-chooser__status--wrong", isWrong);
  }

  /** @param {number | null} share of the whole, null where nobody knows */
  progress(share) {
    const bar = find("pages-progress", this.#dialog);
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  }
}
