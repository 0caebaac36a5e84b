/**
 * The presets within the options' dialog: choose, save, rename, make the default, delete.
 * Owns their list; the server keeps them.
 */

import { ApiError, change, load } from "./api.js";
import { find, on, setText } from "./dom.js";
import { areSame } from "./options.js";
import { say } from "./texts.js";

/**
 * @typedef {import("./protocol.js").Options} Options
 * @typedef {{id: string, name: string, options: Options, is_default: boolean}} Preset
 */

export class Presets {
  #area;
  #options;
  /** @type {Preset[]} */
  #presets = [];

  /**
   * @param {HTMLElement} area
   * @param {{url: string, csrfToken(): string, chosen(): Options, apply(options: Options): void,
   *   check(): boolean}} options `chosen` is what the form says, `apply` fills it
   */
  constructor(area, options) {
    this.#area = area;
    this.#options = options;
    on(this.#select, "change", () => this.#choose());
    on(this.#name, "input", () => this.#showButtons());
    on(this.#name, "keydown", (event) => this.#pressed(event));
    this.#on("preset-save", () => this.#save());
    this.#on("preset-rename", () => this.#patch({ name: this.#name.value }));
    this.#on("preset-default", () => this.#patch({ is_default: !this.#chosen?.is_default }));
    this.#on("preset-delete", () => this.#delete());
  }

  /** Load the presets, and point at the one that is as the form. */
  async open() {
    this.#say("");
    this.#show([], "");
    try {
      const { items } = await load(this.#options.url);
      const same = items.find((/** @type {Preset} */ preset) => areSame(preset.options, this.#options.chosen()));
      this.#show(items, same?.id ?? "");
    } catch {
      this.#say(say("presets_failed"));
    }
  }

  get #select() {
    return /** @type {HTMLSelectElement} */ (find("preset-select", this.#area));
  }

  get #name() {
    return /** @type {HTMLInputElement} */ (find("preset-name", this.#area));
  }

  get #chosen() {
    return this.#presets.find(({ id }) => id === this.#select.value);
  }

  /** @param {string} hook @param {() => unknown} act */
  #on(hook, act) {
    on(find(hook, this.#area), "click", act);
  }

  #choose() {
    this.#name.value = this.#chosen?.name ?? "";
    this.#options.apply(this.#chosen?.options ?? {});
    this.#showButtons();
    this.#say("");
  }

  /** Enter saves the preset instead of closing the dialog. @param {KeyboardEvent} event */
  #pressed(event) {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (this.#name.value.trim()) this.#save();
  }

  async #save() {
    if (!this.#options.check()) return;
    const { chosen, url } = this.#options;
    const preset = await this.#call("POST", url, { name: this.#name.value, options: chosen() });
    if (preset) this.#put(preset, say("preset_saved", { name: preset.name }));
  }

  /** @param {Partial<Preset>} wanted */
  async #patch(wanted) {
    const preset = await this.#call("PATCH", `${this.#options.url}${this.#select.value}/`, wanted);
    if (!preset) return;
    if (preset.is_default) for (const other of this.#presets) other.is_default = false;
    this.#put(preset, say("preset_saved", { name: preset.name }));
  }

  async #delete() {
    const gone = this.#chosen;
    if (!gone || (await this.#call("DELETE", `${this.#options.url}${gone.id}/`)) === undefined) return;
    this.#show(this.#presets.filter((preset) => preset !== gone), "");
    this.#say(say("preset_deleted", { name: gone.name }));
    this.#select.focus();
  }

  /**
   * @param {"POST" | "PATCH" | "DELETE"} method @param {string} url @param {unknown} [body]
   * @returns {Promise<any>} undefined where it was refused; that is said
   */
  async #call(method, url, body) {
    try {
      return await change(method, url, { csrfToken: this.#options.csrfToken(), body });
    } catch (error) {
      this.#say((error instanceof ApiError && error.message) || say("change_failed"));
      return undefined;
    }
  }

  /** @param {Preset} preset @param {string} words */
  #put(preset, words) {
    const others = this.#presets.filter(({ id }) => id !== preset.id);
    const all = [...others, preset].sort((a, b) => a.name.localeCompare(b.name));
    this.#show(all, preset.id);
    this.#say(words);
  }

  /** @param {Preset[]} presets @param {string} chosen */
  #show(presets, chosen) {
    this.#presets = presets;
    const own = presets.map(({ id, name, is_default }) => {
      return new Option(is_default ? say("preset_of_new", { name }) : name, id);
    });
    this.#select.replaceChildren(new Option(say("preset_none"), ""), ...own);
    this.#select.value = chosen;
    this.#name.value = this.#chosen?.name ?? "";
    this.#showButtons();
  }

  #showButtons() {
    const preset = this.#chosen;
    const name = this.#name.value.trim();
    find("preset-save", this.#area).disabled = !name;
    find("preset-rename", this.#area).disabled = !preset || !name || name === preset.name;
    find("preset-delete", this.#area).disabled = !preset;
    const button = find("preset-default", this.#area);
    button.disabled = !preset;
    button.setAttribute("aria-pressed", String(preset?.is_default ?? false));
  }

  /** @param {string} text */
  #say(text) {
    setText(find("preset-note", this.#area), text);
  }
}
