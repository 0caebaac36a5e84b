/**
 * The dialog of a conversation's options. Owns its form; what comes of it goes to whoever opened it.
 */

import { find, on, onWithin, setText } from "./dom.js";
import { NAMES, chosenOf, differencesOf } from "./options.js";
import { number, say } from "./texts.js";

/**
 * @typedef {import("./protocol.js").Options} Options
 * @typedef {{defaults(): Options, limits(): Record<string, number>}} Server
 */

export class OptionsDialog {
  #dialog;
  #form;
  #server;
  /** @type {Options} what the form does not show */
  #unshown = {};

  /** @param {HTMLDialogElement} dialog @param {Server} server */
  constructor(dialog, server) {
    this.#dialog = dialog;
    this.#form = /** @type {HTMLFormElement} */ (find("options-form", dialog));
    this.#server = server;
    on(this.#form, "input", (event) => this.#changed(event.target));
    onWithin(this.#form, "click", "option-reset", (button) => this.#reset(button.dataset.optionReset));
    on(find("options-reset", dialog), "click", () => this.show({}));
  }

  /** What the form says now. @returns {Options} */
  get chosen() {
    const values = Object.fromEntries(NAMES.map((name) => [name, this.#valueOf(name)]));
    return { ...this.#unshown, ...chosenOf(values, this.#server.defaults()) };
  }

  /** Fill the form. @param {Options} options */
  show(options) {
    const values = { ...this.#server.defaults(), ...options };
    this.#unshown = Object.fromEntries(Object.entries(options).filter(([name]) => !NAMES.includes(name)));
    for (const name of NAMES) this.#fill(name, String(values[name] ?? ""));
    this.#mark();
  }

  /**
   * Let somebody choose.
   * @param {Options} options what holds now
   * @returns {Promise<Options | null>} null when nothing is to change
   */
  open(options) {
    const { max_tokens: most, system_prompt_chars: chars } = this.#server.limits();
    this.#input("max_tokens").max = String(most);
    this.#input("system_prompt").maxLength = chars;
    this.show(options);
    this.#dialog.returnValue = "cancel";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      const end = () => resolve(this.#dialog.returnValue === "ok" ? this.chosen : null);
      on(this.#dialog, "close", end, { once: true });
    });
  }

  /** Whether all that is written can be kept; says so where it cannot. @returns {boolean} */
  check() {
    return this.#form.reportValidity();
  }

  /** @param {any} input */
  #changed(input) {
    const name = input.dataset.optionSlider;
    if (name) this.#input(name).value = input.value;
    else if (input.dataset.option) this.#slide(input.dataset.option, input.value);
    this.#mark();
  }

  /** @param {string} name */
  #reset(name) {
    this.#fill(name, String(this.#server.defaults()[name] ?? ""));
    this.#mark();
    if (name !== "pixels") this.#input(name).focus();
  }

  /** @param {string} name @param {string} value */
  #fill(name, value) {
    if (name === "pixels") {
      for (const radio of this.#radios) radio.checked = radio.value === value;
      return;
    }
    this.#input(name).value = value;
    this.#slide(name, value);
  }

  /** @param {string} name @param {string} value */
  #slide(name, value) {
    const slider = this.#form.querySelector(`[data-option-slider="${name}"]`);
    if (slider instanceof HTMLInputElement) slider.value = value;
  }

  /** @param {string} name @returns {string} */
  #valueOf(name) {
    if (name === "pixels") return this.#radios.find(({ checked }) => checked)?.value ?? "";
    return this.#input(name).value;
  }

  /** Show which fields differ from what the server chooses, and how long the instructions are. */
  #mark() {
    const different = differencesOf(this.chosen, this.#server.defaults()).map(({ name }) => name);
    for (const button of this.#form.querySelectorAll("[data-option-reset]")) {
      const { dataset } = /** @type {HTMLElement} */ (button);
      /** @type {HTMLElement} */ (button).hidden = !different.includes(dataset.optionReset ?? "");
    }
    find("options-reset", this.#dialog).disabled = different.length === 0;
    const left = this.#server.limits().system_prompt_chars - this.#input("system_prompt").value.length;
    setText(find("prompt-left", this.#form), say("characters_left", { count: number(left) }));
  }

  /** @param {string} name @returns {any} */
  #input(name) {
    return find(`option="${name}"`, this.#form);
  }

  /** @returns {HTMLInputElement[]} */
  get #radios() {
    return [...this.#form.querySelectorAll('[name="pixels"]')].map((radio) => /** @type {any} */ (radio));
  }
}
