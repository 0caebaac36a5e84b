/**
 * The pages of a PDF to choose from: thumbnails with boxes to tick, by pointer or by arrow keys.
 * Owns the elements in its list and which pages are chosen; draws thumbnails only as they are seen.
 */

import { cloneTemplate, find, on, onWithin, setText } from "./dom.js";
import { number, say } from "./texts.js";

/** @typedef {{number: number, width: number, height: number}} Page */

export class PageGrid {
  #list;
  #onChange;
  /** @type {HTMLInputElement[]} */
  #boxes = [];

  /** @param {HTMLElement} list @param {() => void} onChange the choice is another one */
  constructor(list, onChange) {
    this.#list = list;
    this.#onChange = onChange;
    onWithin(list, "change", "page-box", () => onChange());
    onWithin(list, "focusin", "page-box", (box) => this.#makeReachable(box));
    on(list, "keydown", (event) => this.#pressed(event));
  }

  /** @returns {number[]} the chosen pages, ascending */
  get chosen() {
    return this.#boxes.filter((box) => box.checked).map((box) => Number(box.value));
  }

  get count() {
    return this.#boxes.length;
  }

  /** Show pages, none of them chosen. @param {Page[]} pages @param {string} url of the document */
  show(pages, url) {
    const elements = pages.map((page) => makePage(page, `${url}pages/${page.number}/`));
    this.#list.replaceChildren(...elements);
    this.#boxes = elements.map((element) => find("page-box", element));
    if (this.#boxes[0]) this.#makeReachable(this.#boxes[0]);
  }

  /** Forget the pages; thumbnails on their way are not waited for. */
  clear() {
    this.#list.replaceChildren();
    this.#boxes = [];
  }

  /** Choose exactly these. @param {number[]} pages */
  choose(pages) {
    const wanted = new Set(pages);
    for (const box of this.#boxes) box.checked = wanted.has(Number(box.value));
    this.#onChange();
  }

  /** Only one box is reached by Tab; arrows go to the others. @param {HTMLInputElement} reachable */
  #makeReachable(reachable) {
    for (const box of this.#boxes) box.tabIndex = box === reachable ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const index = this.#boxes.indexOf(/** @type {any} */ (event.target));
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    const next = event.key === "Home" ? 0 : event.key === "End" ? this.count - 1 : index + step;
    if (index < 0 || !this.#boxes[next]) return;
    event.preventDefault();
    this.#boxes[next].focus();
    this.#boxes[next].closest("li")?.scrollIntoView({ block: "nearest" });
  }

  get #columns() {
    const items = /** @type {HTMLElement[]} */ ([...this.#list.children]);
    const columns = items.findIndex((item) => item.offsetTop > items[0].offsetTop);
    return columns < 0 ? items.length : columns;
  }
}

/** @param {Page} page @param {string} source of its thumbnail */
function makePage({ number: page, width, height }, source) {
  const element = cloneTemplate("page");
  const box = find("page-box", element);
  const image = find("page-image", element);
  box.value = String(page);
  box.setAttribute("aria-label", say("page_number", { number: number(page) }));
  setText(find("page-label", element), number(page));
  image.width = width;
  image.height = height;
  image.onerror = () => element.classList.add("page-choice--broken");
  image.src = source;
  return element;
}
