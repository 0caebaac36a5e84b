/**
 * The options of the shown conversation: what holds, the dialog that changes it, and the line on
 * the composer that says what differs. Owns them in the page; the server keeps them.
 */

import { change } from "./api.js";
import { find, on, onWithin, setText } from "./dom.js";
import { areSame, differencesOf, higherPenalty } from "./options.js";
import { OptionsDialog } from "./options_dialog.js";
import { Presets } from "./presets.js";
import { number, say } from "./texts.js";

/**
 * @typedef {import("./protocol.js").Options} Options
 * @typedef {import("./protocol.js").Frame} Frame
 */

const NUMBERED = ["temperature", "top_p", "presence_penalty", "max_tokens"];

export class ConversationOptions {
  #wiring;
  #coming;
  #dialog;
  #presets;
  /** @type {Options} */
  #chosen;
  /** @type {Options} */
  #defaults;

  /**
   * @param {any} page what the server wrote into the page
   * @param {{url(): string | null, csrfToken(): string, limits(): any, toast(text: string): void,
   *   onChange(): void, coming: import("./outbox.js").ComingOptions}} wiring `url` is the
   *   conversation's in the API, null before there is one; `coming` keeps what is chosen until then
   */
  constructor(page, wiring) {
    this.#wiring = wiring;
    this.#coming = wiring.coming;
    this.#chosen = (wiring.url() ? null : this.#coming.read()) ?? page.options.chosen;
    this.#defaults = page.options.defaults;
    const dialog = find("options-dialog");
    this.#dialog = new OptionsDialog(dialog, {
      defaults: () => this.#defaults,
      limits: () => ({ ...page.limits, ...wiring.limits() }),
    });
    this.#presets = new Presets(find("presets", dialog), {
      url: page.urls.presets,
      csrfToken: wiring.csrfToken,
      chosen: () => this.#dialog.chosen,
      apply: (options) => this.#dialog.show(options),
      check: () => this.#dialog.check(),
    });
    onWithin(find("composer-area"), "click", "options-open", () => this.#choose());
    on(find("options-cancel", dialog), "click", () => dialog.close("cancel"));
    this.#show();
  }

  /** What the next answer is asked for with. @returns {Options} */
  get holding() {
    return { ...this.#defaults, ...this.#chosen };
  }

  /** What a new conversation is to keep. @returns {Options} */
  get chosen() {
    return this.#chosen;
  }

  /**
   * What an answer is asked for with that shall repeat itself less than the one before.
   * @param {string} penalty the one before's, empty where nobody chose it
   * @returns {Options | undefined}
   */
  lessRepetition(penalty) {
    const before = penalty === "" ? this.holding.presence_penalty : penalty;
    const higher = higherPenalty(Number(before));
    return higher === null ? undefined : { presence_penalty: higher };
  }

  /**
   * Hear what the server says: its own choice, and what another tab chose.
   * @param {Frame} frame
   * @param {string | null} conversation the shown one
   */
  hear(frame, conversation) {
    if (frame.type === "info" && frame.options) this.#defaults = frame.options;
    else if (frame.type === "conversation" && frame.conversation === conversation && frame.options) {
      this.#chosen = frame.options;
    } else return;
    this.#show();
  }

  async #choose() {
    const asked = this.#dialog.open(this.#chosen);
    this.#presets.open();
    const chosen = await asked;
    if (!chosen || areSame(chosen, this.#chosen)) return;
    const before = this.#chosen;
    this.#chosen = chosen;
    this.#show();
    if (!(await this.#keep(chosen))) {
      this.#chosen = before;
      this.#show();
    }
  }

  /** @param {Options} options @returns {Promise<boolean>} */
  async #keep(options) {
    const url = this.#wiring.url();
    if (!url) {
      this.#coming.write(options); // The first question takes them along.
      return true;
    }
    try {
      await change("PATCH", url, { csrfToken: this.#wiring.csrfToken(), body: { options } });
      return true;
    } catch (error) {
      this.#wiring.toast(/** @type {Error} */ (error).message || say("change_failed"));
      return false;
    }
  }

  #show() {
    const words = differencesOf(this.#chosen, this.#defaults).map(({ name, value }) => {
      const shown = NUMBERED.includes(name) ? plain(Number(value)) : this.#wordFor(name, value);
      return say(`option_${name}`, { value: shown });
    });
    const line = find("options-line");
    line.hidden = words.length === 0;
    setText(find("options-words", line), words.join(" · "));
    this.#wiring.onChange();
  }

  /** @param {string} name @param {number | string} value */
  #wordFor(name, value) {
    return name === "pixels" ? say(`pixels_${value}`) : String(value);
  }
}

/** @param {number} value @returns {string} with as many digits as it has, two at most */
function plain(value) {
  return number(value, Math.min(2, String(value).split(".")[1]?.length ?? 0));
}
