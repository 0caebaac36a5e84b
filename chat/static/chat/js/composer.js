/**
 * Where a question is written: text, pictures, their price, send and stop. Owns its form and the draft;
 * knows no frames. What is asked goes to `onAsk`.
 */

import { Attachments } from "./attachments.js";
import { find, on, setText } from "./dom.js";
import { watchPictureSources } from "./picture_sources.js";
import { showPrice } from "./price_view.js";
import { countCodePoints } from "./protocol.js";
import { QuestionField } from "./question_field.js";
import { say } from "./texts.js";

const COUNT_FROM_SHARE = 0.9;

/**
 * @typedef {import("./uploads.js").Limits} Limits
 * @typedef {import("./outbox.js").Draft} Draft
 * @typedef {{imagesUrl: string, csrfToken(): string, limits(): Limits, announce(text: string): void,
 *   onAsk(question: {text: string, images: string[], edits: string | null}): void, onStop(): void,
 *   onDraft(draft: Draft): void, picturesBefore(id: string | null): number,
 *   holding(): import("./protocol.js").Options}} ComposerOptions `picturesBefore` counts those of the
 *   conversation before a message or its end; `holding` are the options of the next answer
 */

export class Composer {
  #form;
  #field;
  #hint;
  #options;
  #attachments;
  #isAnswering = false;
  #isWaiting = false;
  /** @type {{id: string, draft: Draft} | null} */
  #edited = null;

  /** @param {HTMLFormElement} form @param {ComposerOptions} options */
  constructor(form, options) {
    this.#form = form;
    this.#options = options;
    this.#hint = find("hint", form);
    this.#field = new QuestionField(find("question", form), {
      onInput: () => this.#changed(),
      onEnter: () => this.#ask(),
      onEscape: () => this.#endEdit(),
    });
    this.#attachments = new Attachments(find("attachments", form), {
      ...options,
      onChange: () => this.#changed({ keepsHint: true }),
      complain: (text) => this.complain(text),
      onMention: (words) => this.insert(words),
      detail: () => String(options.holding().pixels),
      picturesBefore: () => options.picturesBefore(this.#edited?.id ?? null),
    });
    this.#listen();
  }

  /** Put a draft back. @param {Draft} draft */
  restore(draft) {
    this.#field.text = draft.text;
    this.#attachments.restore(draft);
  }

  /**
   * Take a question that was asked, to ask it otherwise; the draft comes back afterwards.
   * @param {{id: string, text: string, images: string[]}} question
   */
  edit({ id, text, images }) {
    const draft = this.#edited?.draft ?? this.#draft;
    this.restore({ text, images });
    this.#showEdited({ id, draft });
    this.focus();
  }

  /** Fill in a suggested question without sending it. @param {string} text */
  suggest(text) {
    this.#field.text = text;
    this.#changed();
    this.focus();
  }

  /** Put words in at the cursor, apart from what stands there. @param {string} text */
  insert(text) {
    this.#field.insert(text);
    this.#changed();
    this.focus();
  }

  /** Take pictures. @param {Iterable<File>} files */
  addPictures(files) {
    this.#attachments.add(files);
    this.focus();
  }

  /** Try failed uploads again: the connection is back. */
  retryUploads() {
    this.#attachments.retryFailed();
  }

  /** Show prices and places as they are now: options or transcript have changed. */
  refresh() {
    this.#attachments.refresh();
    this.#showPrice();
  }

  focus() {
    this.#field.focus();
  }

  /**
   * Show the stop button while an answer is written, and hold back while a question waits.
   * @param {{isAnswering: boolean, isWaiting: boolean}} state
   */
  show({ isAnswering, isWaiting }) {
    const send = find("send", this.#form);
    const stop = find("stop", this.#form);
    const hadFocus = this.#form.contains(document.activeElement);
    this.#isWaiting = isWaiting;
    if (isAnswering === this.#isAnswering) return;
    this.#isAnswering = isAnswering;
    send.hidden = isAnswering;
    stop.hidden = !isAnswering;
    if (hadFocus && !this.#field.hasFocus) this.focus();
    this.#showHint("");
  }

  /** Say what is in the way. @param {string} text */
  complain(text) {
    this.#showHint(text, true);
  }

  #listen() {
    const { onStop } = this.#options;
    on(this.#form, "submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
    on(find("stop", this.#form), "click", onStop);
    on(find("cancel-edit", this.#form), "click", () => this.#endEdit());
    watchPictureSources(this.#form, (files) => this.addPictures(files));
  }

  #ask() {
    const text = this.#field.text.trim();
    const obstacle = this.#obstacle(text);
    if (obstacle) {
      this.complain(obstacle);
      this.focus();
      return;
    }
    const question = { text, images: this.#attachments.kept.images, edits: this.#edited?.id ?? null };
    this.restore(this.#edited?.draft ?? { text: "", images: [] });
    this.#showEdited(null);
    this.#changed();
    this.#options.onAsk(question);
    this.focus();
  }

  #endEdit() {
    if (!this.#edited) return;
    this.restore(this.#edited.draft);
    this.#showEdited(null);
    this.#changed();
    this.focus();
  }

  /** @param {{id: string, draft: Draft} | null} edited */
  #showEdited(edited) {
    this.#edited = edited;
    find("edit-note", this.#form).hidden = !edited;
  }

  /** @returns {Draft} */
  get #draft() {
    return { text: this.#field.text, ...this.#attachments.kept };
  }

  /** @param {string} text @returns {string} */
  #obstacle(text) {
    const { text_chars: limit } = this.#options.limits();
    const over = countCodePoints(text) - limit;
    if (this.#isAnswering) return say("answer_running");
    if (this.#isWaiting) return say("question_waiting");
    if (!text) return say("question_empty");
    if (over > 0) return say("question_too_long", { count: over, limit });
    if (this.#attachments.isUploading) return say("uploads_running");
    if (this.#attachments.hasFailed) return say("uploads_failed");
    return "";
  }

  /** @param {{keepsHint?: boolean}} [options] a complaint stays until something is typed */
  #changed({ keepsHint = false } = {}) {
    this.#field.fit();
    this.#showPrice();
    const text = this.#field.text;
    this.#options.onDraft(this.#edited?.draft ?? this.#draft);
    const { text_chars: limit } = this.#options.limits();
    const left = limit - countCodePoints(text);
    if (left < 0) this.complain(say("question_too_long", { count: -left, limit }));
    else if (!keepsHint) {
      const isNear = left < limit * (1 - COUNT_FROM_SHARE);
      this.#showHint(isNear ? say("characters_left", { count: left }) : "");
    }
    const isReady = text.trim() !== "" && !this.#attachments.isUploading;
    find("send", this.#form).classList.toggle("round-button--ready", isReady);
  }

  #showPrice() {
    const { holding, limits } = this.#options;
    const written = { text: this.#field.text, pictures: this.#attachments.prices };
    const contextTokens = limits().context_tokens;
    showPrice(this.#form, { ...written, options: holding(), contextTokens });
  }

  /** @param {string} text @param {boolean} [isWrong] */
  #showHint(text, isWrong = false) {
    setText(this.#hint, text);
    this.#hint.classList.toggle("composer__hint--wrong", isWrong);
  }
}
