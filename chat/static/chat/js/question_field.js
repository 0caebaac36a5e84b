/**
 * The field that a question is written in: grows with its text, and tells Enter from what an input
 * method means by it. Owns the textarea.
 */

import { on } from "./dom.js";

export class QuestionField {
  /** @type {HTMLTextAreaElement} */
  #textarea;
  #isComposing = false;

  /**
   * @param {HTMLTextAreaElement} textarea
   * @param {{onInput(): void, onEnter(): void, onEscape(): void}} handlers
   */
  constructor(textarea, handlers) {
    this.#textarea = textarea;
    on(textarea, "input", handlers.onInput);
    on(textarea, "keydown", (event) => this.#pressed(event, handlers));
    // Safari ends the composition before the Enter that ended it.
    on(textarea, "compositionstart", () => (this.#isComposing = true));
    on(textarea, "compositionend", () => setTimeout(() => (this.#isComposing = false)));
    this.fit();
  }

  get text() {
    return this.#textarea.value;
  }

  set text(text) {
    this.#textarea.value = text;
    this.fit();
  }

  get hasFocus() {
    return document.activeElement === this.#textarea;
  }

  focus() {
    this.#textarea.focus();
  }

  /** Put words in at the cursor, apart from what stands there. @param {string} text */
  insert(text) {
    const { value, selectionStart: start, selectionEnd: end } = this.#textarea;
    const before = start > 0 && !/\s$/.test(value.slice(0, start)) ? " " : "";
    const after = /^\s/.test(value.slice(end)) ? "" : " ";
    this.#textarea.setRangeText(before + text + after, start, end, "end");
  }

  /** Be as high as the text. */
  fit() {
    this.#textarea.style.height = "auto";
    this.#textarea.style.height = `${this.#textarea.scrollHeight}px`;
  }

  /** @param {KeyboardEvent} event @param {{onEnter(): void, onEscape(): void}} handlers */
  #pressed(event, { onEnter, onEscape }) {
    if (event.isComposing || event.keyCode === 229 || this.#isComposing) return;
    if (event.key === "Escape") onEscape();
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    onEnter();
  }
}
