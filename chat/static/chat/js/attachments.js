/**
 * The pictures of the question being written: thumbnails with progress, remove and retry.
 * Owns their uploads, elements and object URLs.
 */

import { PICTURES_TAKEN } from "./documents.js";
import { cloneTemplate, find, on, onWithin, setText } from "./dom.js";
import { fileSize, number, say } from "./texts.js";
import { Upload, refusalOf } from "./uploads.js";

/**
 * @typedef {import("./uploads.js").Limits} Limits
 * @typedef {{element: any, upload: Upload | null, imageId: string | null, objectUrl: string | null,
 *   name: string}} Attachment
 */

export class Attachments {
  #list;
  #options;
  /** @type {Attachment[]} */
  #items = [];

  /**
   * @param {HTMLElement} list
   * @param {{imagesUrl: string, csrfToken(): string, limits(): Limits, onChange(): void,
   *   complain(text: string): void, announce(text: string): void}} options
   */
  constructor(list, options) {
    this.#list = list;
    this.#options = options;
    on(list, PICTURES_TAKEN, (event) => this.#addStored(event.detail));
    onWithin(list, "click", "attachment-remove", (button) => this.#remove(this.#itemOf(button)));
    onWithin(list, "click", "attachment-retry", (button) => {
      this.#options.complain("");
      this.#itemOf(button)?.upload?.start();
    });
  }

  /** Ids of the pictures that are on the server, in order. @returns {string[]} */
  get imageIds() {
    return this.#items.flatMap(({ imageId }) => (imageId ? [imageId] : []));
  }

  get isUploading() {
    return this.#items.some(({ upload }) => upload?.state.status === "uploading");
  }

  get hasFailed() {
    return this.#items.some(({ upload }) => upload?.state.status === "failed");
  }

  /** Take files and upload each at once. @param {Iterable<File>} files */
  add(files) {
    this.#options.complain("");
    for (const file of files) {
      const limits = this.#options.limits();
      if (this.#items.length >= limits.images_per_turn) {
        this.#options.complain(say("too_many_pictures", { limit: limits.images_per_turn }));
        break;
      }
      const refusal = refusalOf(file, limits, fileSize);
      if (refusal) this.#options.complain(say(refusal.key, refusal.values));
      else this.#start(file);
    }
    this.#changed();
  }

  /** Show pictures that are on the server already. @param {string[]} ids */
  restore(ids) {
    for (const item of [...this.#items]) this.#forget(item);
    this.#addStored(ids.map((id) => ({ id, name: say("pasted_picture") })));
  }

  /** Forget all of them: their question is under way. */
  clear() {
    for (const item of [...this.#items]) this.#forget(item);
    this.#changed();
  }

  /** Try again what failed for want of a connection. */
  retryFailed() {
    for (const { upload } of this.#items) {
      if (upload?.state.status === "failed" && upload.state.canRetry) upload.start();
    }
  }

  /** @param {{id: string, name: string}[]} pictures */
  #addStored(pictures) {
    for (const { id, name } of pictures) {
      const item = this.#addItem(name);
      item.imageId = id;
      this.#show(item, `${this.#options.imagesUrl}${id}/?size=thumb`);
      find("ring", item.element).hidden = true;
    }
    this.#changed();
  }

  /** @param {File} file */
  #start(file) {
    const item = this.#addItem(file.name || say("pasted_picture"));
    item.objectUrl = URL.createObjectURL(file);
    this.#show(item, item.objectUrl);
    item.upload = new Upload({
      file,
      url: this.#options.imagesUrl,
      csrfToken: this.#options.csrfToken,
      XMLHttpRequest,
      onChange: (upload) => this.#uploadChanged(item, upload),
    });
    item.upload.start();
  }

  /** @param {string} name @returns {Attachment} */
  #addItem(name) {
    const element = cloneTemplate("attachment");
    setText(find("attachment-remove-text", element), say("upload_remove", { name }));
    setText(find("attachment-retry-text", element), say("upload_retry", { name }));
    element.title = name;
    this.#list.append(element);
    const item = { element, upload: null, imageId: null, objectUrl: null, name };
    this.#items.push(item);
    return item;
  }

  /** @param {Attachment} item @param {string} url */
  #show(item, url) {
    const image = find("attachment-image", item.element);
    image.onload = () => {
      image.hidden = false;
    };
    image.onerror = () => {
      image.hidden = true; // HEIC: the browser cannot show it, the server's thumbnail can.
    };
    image.src = url;
  }

  /** @param {Attachment} item @param {Upload} upload */
  #uploadChanged(item, { state }) {
    const { element, name } = item;
    const percent = Math.round(state.progress * 100);
    element.dataset.status = state.status;
    const ring = find("ring", element);
    ring.hidden = state.status !== "uploading";
    ring.style.setProperty("--progress", `${percent}%`);
    ring.setAttribute("aria-valuenow", String(percent));
    ring.setAttribute("aria-label", say("upload_progress", { name, percent: number(percent) }));
    find("attachment-retry", element).hidden = !(state.status === "failed" && state.canRetry);
    if (state.status === "done") this.#uploadDone(item, state.imageId);
    if (state.status === "failed") this.#uploadFailed(state.error, name);
    this.#changed();
  }

  /** @param {Attachment} item @param {string | null} imageId */
  #uploadDone(item, imageId) {
    item.imageId = imageId;
    const image = find("attachment-image", item.element);
    if (image.hidden) this.#show(item, `${this.#options.imagesUrl}${imageId}/?size=thumb`);
    this.#options.announce(say("upload_done", { name: item.name }));
  }

  /** @param {string} error @param {string} name */
  #uploadFailed(error, name) {
    const reason = error || say(navigator.onLine ? "upload_failed" : "upload_offline");
    this.#options.complain(`${name}: ${reason}`);
  }

  /** @param {Element} button @returns {Attachment | undefined} */
  #itemOf(button) {
    return this.#items.find(({ element }) => element.contains(button));
  }

  /** @param {Attachment | undefined} item */
  #remove(item) {
    if (!item) return;
    const index = this.#items.indexOf(item);
    item.upload?.cancel();
    this.#forget(item);
    this.#changed();
    this.#options.complain("");
    const next = this.#items[Math.min(index, this.#items.length - 1)];
    if (next) find("attachment-remove", next.element).focus();
    else document.querySelector("textarea")?.focus();
  }

  /** @param {Attachment} item */
  #forget(item) {
    if (item.objectUrl) URL.revokeObjectURL(item.objectUrl);
    item.element.remove();
    this.#items = this.#items.filter((other) => other !== item);
  }

  #changed() {
    this.#list.hidden = this.#items.length === 0;
    this.#options.onChange();
  }
}
