/**
 * How far the run through a document is, above the composer: progress, stop, go on, the file.
 * Owns the bar and its requests. Looks again whenever a message begins or ends, and now and then.
 */

import { ApiError, load, post } from "./api.js";
import { find, on, setText } from "./dom.js";
import { number, say } from "./texts.js";

/**
 * @typedef {{number: number, state: string}} RunPage
 * @typedef {{name: string, state: "running" | "stopped" | "done", document: string | null,
 *   pages: RunPage[]}} Run
 */

// A message begins and ends in several steps.
const SETTLE_MS = 150;
// A page that cannot be drawn begins no message.
const LOOK_MS = 5000;

/**
 * What the bar says of a run, and what can be done.
 * @param {Run} run
 */
export function describeRun(run) {
  const count = (/** @type {string} */ state) =>
    run.pages.filter((page) => page.state === state).length;
  const total = run.pages.length;
  const failed = count("failed");
  const ended = count("done") + failed;
  const isRunning = run.state === "running";
  const values = { number: number(ended + 1), count: number(ended), total: number(total) };
  const key = isRunning ? "run_page" : run.state === "done" ? "run_done" : "run_stopped";
  const failure = failed ? say("run_failed", { count: number(failed) }) : "";
  return {
    text: [say(key, values), failure].filter(Boolean).join(" "),
    share: ended / total,
    isRunning,
    canGoOn: !isRunning && run.document !== null && count("done") < total,
  };
}

export class RunBar {
  #bar;
  #options;
  #url;
  #settle = 0;
  #next = 0;

  /**
   * @param {HTMLElement} bar
   * @param {HTMLElement} messages
   * @param {{runsUrl: string, csrfToken(): string, toast(text: string): void}} options
   */
  constructor(bar, messages, options) {
    this.#bar = bar;
    this.#options = options;
    this.#url = `${options.runsUrl}${bar.dataset.run}/`;
    on(find("run-stop", bar), "click", () => this.#change("stop/"));
    on(find("run-go-on", bar), "click", () => this.#change("continue/"));
    const observer = new MutationObserver(() => this.#lookSoon());
    observer.observe(messages, { childList: true, subtree: true, attributeFilter: ["data-state"] });
    this.#look();
  }

  #lookSoon() {
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.#look(), SETTLE_MS);
  }

  async #look() {
    clearTimeout(this.#next);
    let isRunning = true;
    try {
      const run = await load(this.#url);
      isRunning = run.state === "running";
      this.#draw(run);
    } catch {
      // The connection is away: the next look tells.
    }
    if (isRunning) this.#next = setTimeout(() => this.#look(), LOOK_MS);
  }

  /** @param {string} path */
  async #change(path) {
    try {
      this.#draw(await post(this.#url + path, { csrfToken: this.#options.csrfToken(), body: {} }));
      this.#lookSoon();
    } catch (error) {
      const text = error instanceof ApiError ? error.message : "";
      this.#options.toast(text || say("change_failed"));
    }
  }

  /** @param {Run} run */
  #draw(run) {
    const { text, share, isRunning, canGoOn } = describeRun(run);
    setText(find("run-status", this.#bar), text);
    find("run-progress", this.#bar).value = share;
    find("run-stop", this.#bar).hidden = !isRunning;
    find("run-go-on", this.#bar).hidden = !canGoOn;
  }
}
