/**
 * One picture of the question being written: thumbnail, progress, place and price. Owns its element.
 */

import { cloneTemplate, find, setText } from "./dom.js";
import { number, say } from "./texts.js";

/** @typedef {import("./uploads.js").UploadState} UploadState */

export class AttachmentView {
  #name;

  /** @param {string} name for people */
  constructor(name) {
    this.#name = name;
    this.element = cloneTemplate("attachment");
    setText(find("attachment-remove-text", this.element), say("upload_remove", { name }));
    setText(find("attachment-retry-text", this.element), say("upload_retry", { name }));
    this.element.title = name;
  }

  get hasPicture() {
    return !find("attachment-image", this.element).hidden;
  }

  /** @param {string} url */
  showPicture(url) {
    const image = find("attachment-image", this.element);
    image.onload = () => {
      image.hidden = false;
    };
    image.onerror = () => {
      image.hidden = true; // HEIC: the browser cannot show it, the server's thumbnail can.
    };
    image.src = url;
  }

  /** Show a picture that is on the server already. */
  showKept() {
    this.element.dataset.status = "done";
    find("ring", this.element).hidden = true;
  }

  /** @param {UploadState} state */
  showUpload({ status, progress, canRetry }) {
    const percent = Math.round(progress * 100);
    this.element.dataset.status = status;
    const ring = find("ring", this.element);
    ring.hidden = status !== "uploading";
    ring.style.setProperty("--progress", `${percent}%`);
    ring.setAttribute("aria-valuenow", String(percent));
    ring.setAttribute("aria-label", say("upload_progress", { name: this.#name, percent: number(percent) }));
    find("attachment-retry", this.element).hidden = !(status === "failed" && canRetry);
  }

  /** Show its number among the conversation's pictures, as the prompt has it. @param {number} place */
  showPlace(place) {
    setText(find("attachment-place", this.element), `@${place}`);
    const help = say("picture_place", { name: this.#name, number: place });
    setText(find("attachment-place-text", this.element), help);
  }

  /** @param {string[]} words none while the price is not known */
  showPrice(words) {
    const lines = words.map((text) => {
      const line = document.createElement("span");
      line.textContent = text;
      return line;
    });
    find("attachment-price", this.element).replaceChildren(...lines);
  }
}
