/**
 * The pictures of the question being written, in their order: uploaded at once, moved, taken away,
 * tried again, each with its price. Owns their uploads and object URLs.
 */

import { AttachmentView } from "./attachment_view.js";
import { load } from "./api.js";
import { PICTURES_TAKEN } from "./documents.js";
import { find, on, onWithin } from "./dom.js";
import { priceOf, priceWords, pricesOf } from "./price.js";
import { watchReorder } from "./reorder.js";
import { fileSize, say } from "./texts.js";
import { Upload, refusalOf } from "./uploads.js";

/**
 * @typedef {import("./uploads.js").Limits} Limits
 * @typedef {import("./outbox.js").Draft} Draft
 * @typedef {import("./price.js").Prices} Prices
 * @typedef {{view: AttachmentView, upload: Upload | null, imageId: string | null,
 *   objectUrl: string | null, name: string, prices: Prices | null}} Attachment
 */

export class Attachments {
  #list;
  #options;
  /** @type {Attachment[]} */
  #items = [];

  /**
   * @param {HTMLElement} list
   * @param {{imagesUrl: string, csrfToken(): string, limits(): Limits, onChange(): void,
   *   complain(text: string): void, announce(text: string): void, onMention(words: string): void,
   *   detail(): string, picturesBefore(): number}} options `onMention` hears which picture is meant
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
    onWithin(list, "click", "attachment-chip", (button) => {
      options.onMention(find("attachment-place", button).textContent);
    });
    watchReorder(list, {
      grip: "attachment-frame",
      keys: "attachment-chip",
      move: (from, to) => this.#move(from, to),
    });
  }

  /** What a draft keeps: the pictures that are on the server, in order. @returns {Pick<Draft, "images" | "names">} */
  get kept() {
    const kept = this.#items.flatMap(({ imageId, name }) => (imageId ? [[imageId, name]] : []));
    return { images: kept.map(([id]) => id), names: Object.fromEntries(kept) };
  }

  /** What those cost whose price is known. @returns {Prices[]} */
  get prices() {
    return this.#items.flatMap(({ prices }) => prices ?? []);
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

  /** Show a draft's pictures. @param {Draft} draft */
  restore({ images, names = {} }) {
    for (const item of [...this.#items]) this.#forget(item);
    this.#addStored(images.map((id) => ({ id, name: names[id] ?? say("pasted_picture") })));
  }

  /** Try again what failed for want of a connection. */
  retryFailed() {
    for (const { upload } of this.#items) {
      if (upload?.state.status === "failed" && upload.state.canRetry) upload.start();
    }
  }

  /** Show places and prices as they are now. */
  refresh() {
    const before = this.#options.picturesBefore();
    for (const [index, { view, prices }] of this.#items.entries()) {
      view.showPlace(before + index + 1);
      view.showPrice(prices ? priceWords(priceOf(prices, this.#options.detail())) : []);
    }
  }

  /** @param {{id: string, name: string}[]} pictures */
  #addStored(pictures) {
    for (const { id, name } of pictures) {
      const item = this.#addItem(name);
      item.imageId = id;
      item.view.showKept();
      item.view.showPicture(`${this.#options.imagesUrl}${id}/?size=thumb`);
      this.#price(item);
    }
    this.#changed();
  }

  /** @param {File} file */
  #start(file) {
    const item = this.#addItem(file.name || say("pasted_picture"));
    item.objectUrl = URL.createObjectURL(file);
    item.view.showPicture(item.objectUrl);
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
    const view = new AttachmentView(name);
    this.#list.append(view.element);
    const item = { view, upload: null, imageId: null, objectUrl: null, name, prices: null };
    this.#items.push(item);
    return item;
  }

  /** @param {Attachment} item @param {Upload} upload */
  #uploadChanged(item, { state }) {
    item.view.showUpload(state);
    if (state.status === "done") this.#uploadDone(item, state);
    if (state.status === "failed") this.#uploadFailed(state.error, item.name);
    this.#changed();
  }

  /** @param {Attachment} item @param {import("./uploads.js").UploadState} state */
  #uploadDone(item, { imageId, answer }) {
    item.imageId = imageId;
    item.prices = pricesOf(answer);
    if (!item.view.hasPicture) item.view.showPicture(`${this.#options.imagesUrl}${imageId}/?size=thumb`);
    this.#options.announce(say("upload_done", { name: item.name }));
  }

  /** @param {string} error @param {string} name */
  #uploadFailed(error, name) {
    const reason = error || say(navigator.onLine ? "upload_failed" : "upload_offline");
    this.#options.complain(`${name}: ${reason}`);
  }

  /** @param {Attachment} item */
  async #price(item) {
    try {
      item.prices = await load(`${this.#options.imagesUrl}${item.imageId}/price/`);
    } catch {
      return; // It can be sent without its price.
    }
    if (this.#items.includes(item)) this.#changed();
  }

  /** @param {Element} button @returns {Attachment | undefined} */
  #itemOf(button) {
    return this.#items.find(({ view }) => view.element.contains(button));
  }

  /** @param {number} from @param {number} to */
  #move(from, to) {
    const [item] = this.#items.splice(from, 1);
    this.#items.splice(to, 0, item);
    this.#list.insertBefore(item.view.element, this.#items[to + 1]?.view.element ?? null);
    this.#options.announce(say("picture_moved", { name: item.name, number: to + 1 }));
    this.#changed();
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
    if (next) find("attachment-remove", next.view.element).focus();
    else document.querySelector("textarea")?.focus();
  }

  /** @param {Attachment} item */
  #forget(item) {
    if (item.objectUrl) URL.revokeObjectURL(item.objectUrl);
    item.view.element.remove();
    this.#items = this.#items.filter((other) => other !== item);
  }

  #changed() {
    this.#list.hidden = this.#items.length === 0;
    this.refresh();
    this.#options.onChange();
  }
}
