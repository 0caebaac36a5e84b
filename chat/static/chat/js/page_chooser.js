/**
 * A PDF becomes pictures: uploaded, its pages shown, the chosen ones attached or asked about in turn.
 * Owns its dialog and the requests under way; closing the dialog ends both.
 */

import { ApiError, change, post } from "./api.js";
import { ChooserStatus } from "./chooser_status.js";
import { DOCUMENT_GIVEN, PICTURES_TAKEN } from "./documents.js";
import { find, on, setText } from "./dom.js";
import { PageGrid } from "./page_grid.js";
import { formatPages, parsePages } from "./page_range.js";
import { fileSize, number, say } from "./texts.js";
import { Upload } from "./uploads.js";

/**
 * @typedef {{id: string, name: string, is_used: boolean, pages: import("./page_grid.js").Page[]}} Document
 * @typedef {{urls: {documents: string, home: string}, csrfToken(): string,
 *   limits: {upload_bytes: number, images_per_turn: number}}} ChooserOptions
 */

export class PageChooser {
  #dialog;
  #options;
  #grid;
  #status;
  #attachments = find("attachments");
  /** @type {File[]} */
  #waiting = [];
  /** @type {Upload | null} */
  #upload = null;
  /** @type {Document | null} */
  #document = null;
  #requests = new AbortController();

  /** @param {HTMLDialogElement} dialog @param {ChooserOptions} options */
  constructor(dialog, options) {
    this.#dialog = dialog;
    this.#options = options;
    this.#status = new ChooserStatus(dialog);
    this.#grid = new PageGrid(find("page-grid", dialog), () => this.#chosenChanged());
    on(find("composer"), DOCUMENT_GIVEN, (event) => this.#take(event.detail));
    on(dialog, "close", () => this.#closed());
    on(find("pages-cancel", dialog), "click", () => dialog.close());
    on(find("pages-all", dialog), "click", () => this.#grid.choose(this.#allPages));
    on(find("pages-none", dialog), "click", () => this.#grid.choose([]));
    on(find("pages-retry", dialog), "click", () => this.#upload?.start());
    on(find("page-range", dialog), "input", () => this.#rangeWritten());
    on(find("pages-form", dialog), "submit", (event) => {
      event.preventDefault();
      this.#attach();
    });
    on(find("pages-run", dialog), "click", () => this.#run());
  }

  /** @param {File} file */
  #take(file) {
    this.#waiting.push(file);
    if (!this.#dialog.open) this.#openNext();
  }

  #openNext() {
    const file = this.#waiting.shift();
    if (!file) return;
    this.#requests = new AbortController();
    this.#document = null;
    setText(find("pages-title", this.#dialog), file.name);
    this.#status.show("uploading");
    this.#dialog.showModal();
    const { upload_bytes: limit } = this.#options.limits;
    if (file.size > limit) {
      const values = { name: file.name, size: fileSize(file.size), limit: fileSize(limit) };
      this.#fail(say("document_too_large", values));
      return;
    }
    this.#upload = new Upload({
      file,
      url: this.#options.urls.documents,
      csrfToken: this.#options.csrfToken,
      XMLHttpRequest,
      onChange: ({ state }) => this.#uploadChanged(state),
    });
    this.#upload.start();
  }

  /** @param {import("./uploads.js").UploadState} state */
  #uploadChanged({ status, progress, error, canRetry, answer }) {
    if (status === "failed") this.#fail(error || say("upload_failed"), canRetry);
    else if (status === "done") this.#uploaded(/** @type {any} */ (answer));
    else {
      // When all is sent the server looks into it.
      const isSending = progress < 1;
      this.#status.show("uploading");
      this.#status.progress(isSending ? progress : null);
      this.#status.say(say(isSending ? "document_uploading" : "document_reading"));
    }
  }

  /** @param {Document} document */
  #uploaded(document) {
    this.#document = document;
    this.#grid.show(document.pages, this.#url);
    this.#status.show("choosing");
    const fits = document.pages.length <= this.#room;
    this.#grid.choose(fits ? this.#allPages : []);
    find("page-range", this.#dialog).focus();
  }

  #chosenChanged() {
    const { chosen } = this.#grid;
    const range = find("page-range", this.#dialog);
    // What is being written there is not put into another form under the person's hands.
    if (range !== document.activeElement) range.value = formatPages(chosen);
    range.removeAttribute("aria-invalid");
    this.#showChosen(chosen);
  }

  #rangeWritten() {
    const range = find("page-range", this.#dialog);
    const pages = parsePages(range.value, this.#grid.count);
    if (pages) {
      this.#grid.choose(pages);
      return;
    }
    range.setAttribute("aria-invalid", "true");
    this.#status.say(say("pages_unclear", { count: number(this.#grid.count) }), true);
    find("pages-attach", this.#dialog).disabled = true;
    find("pages-run", this.#dialog).disabled = true;
  }

  /** @param {number[]} chosen */
  #showChosen(chosen) {
    const room = this.#room;
    const isTooMany = chosen.length > room;
    const values = { count: number(chosen.length), total: number(this.#grid.count) };
    const text = isTooMany ? say("pages_too_many", { limit: number(room) }) : "";
    this.#status.say(text || say("pages_chosen", values));
    find("pages-attach", this.#dialog).disabled = isTooMany || chosen.length === 0;
    const asked = chosen.length || this.#grid.count;
    find("pages-run", this.#dialog).disabled = false;
    setText(find("pages-run-text", this.#dialog), say("pages_run", { count: number(asked) }));
  }

  async #attach() {
    const taken = await this.#ask("pages/", { pages: this.#grid.chosen });
    if (!taken || !this.#document) return;
    const { name } = this.#document;
    const pictures = taken.images.map((/** @type {any} */ image) => ({
      ...image,
      name: say("page_name", { name, number: number(image.number) }),
    }));
    this.#attachments.dispatchEvent(new CustomEvent(PICTURES_TAKEN, { detail: pictures }));
    this.#dialog.close();
  }

  async #run() {
    const { chosen } = this.#grid;
    const pages = chosen.length ? chosen : this.#allPages;
    const run = await this.#ask("runs/", { pages, text: find("run-text", this.#dialog).value });
    if (run) location.assign(`${this.#options.urls.home}c/${run.conversation}/`);
  }

  /** @param {string} path @param {unknown} body @returns {Promise<any>} null when it came to nothing */
  async #ask(path, body) {
    const { signal } = this.#requests;
    this.#status.show("drawing");
    this.#status.progress(null);
    this.#status.say(say("pages_drawing"));
    try {
      return await post(this.#url + path, { csrfToken: this.#options.csrfToken(), body, signal });
    } catch (error) {
      if (signal.aborted) return null;
      this.#status.show("choosing");
      const text = error instanceof ApiError ? error.message : "";
      this.#status.say(text || say("upload_failed"), true);
      return null;
    }
  }

  /** @param {string} text @param {boolean} [canRetry] */
  #fail(text, canRetry = false) {
    this.#status.show("failed", { canRetry });
    this.#status.say(text, true);
  }

  #closed() {
    this.#requests.abort();
    this.#upload?.cancel();
    this.#upload = null;
    this.#discard();
    this.#grid.clear();
    find("question").focus();
    this.#openNext();
  }

  /** The pages taken are pictures now: the PDF is not needed, unless a run is about it. */
  #discard() {
    const csrfToken = this.#options.csrfToken();
    // What cannot be removed now is removed by the server in some days.
    if (this.#document?.is_used === false) change("DELETE", this.#url, { csrfToken }).catch(() => {});
    this.#document = null;
  }

  get #url() {
    return `${this.#options.urls.documents}${this.#document?.id}/`;
  }

  get #allPages() {
    return (this.#document?.pages ?? []).map((page) => page.number);
  }

  /** How many pictures the question still takes. */
  get #room() {
    return this.#options.limits.images_per_turn - this.#attachments.childElementCount;
  }
}
