/**
 * What answers point at, drawn on the pictures as it is written: one figure for each picture
 * above the answer's text, joined to the text by hovering. Owns the figures.
 */

import { find, on } from "./dom.js";
import { GroundedFigure } from "./grounded_figure.js";
import { GroundingParser } from "./grounding.js";
import { highlight, rangeAt, rangesOf } from "./mark_text.js";
import { picturesUpTo } from "./transcript_pictures.js";

/**
 * @typedef {import("./grounding.js").Mark} Mark
 * @typedef {import("./grounded_figure.js").Picture} Picture
 * @typedef {{parser: GroundingParser, marks: Mark[], figures: Map<string, GroundedFigure>,
 *   ranges: Range[] | null}} Drawn `ranges` are found when they are first needed
 */

export class GroundingView {
  #list;
  #options;
  /** @type {WeakMap<Element, Drawn>} */
  #drawn = new WeakMap();
  /** @type {Element | null} the answer with a mark that is set off */
  #lit = null;

  /**
   * @param {Element} list
   * @param {{answerer(): {model: string, detail: string}, toast(text: string): void,
   *   onOpen(picture: Picture): void}} options
   */
  constructor(list, options) {
    this.#list = list;
    this.#options = options;
    on(list, "earlier", (event) => this.drawAll(event.detail));
    on(list, "whole", ({ target }) => this.draw(target.closest("[data-message]")));
    on(list, "pointermove", (event) => this.#pointed(event), { passive: true });
  }

  /** Draw what answers point at. @param {Iterable<any>} [messages] by default all of the transcript */
  drawAll(messages = this.#list.children) {
    for (const message of messages) if (message.dataset.role === "assistant") this.draw(message);
  }

  /** Draw what is new in an answer. @param {any} answer its element, null where there is none */
  draw(answer) {
    if (!answer) return;
    const text = find("body", answer).textContent;
    if (!text.includes("_2d") && !this.#drawn.has(answer)) return;
    const drawn = this.#read(answer, text);
    if (drawn.marks.length === drawn.parser.marks.length) return;
    drawn.marks = [...drawn.parser.marks];
    this.#show(answer, drawn);
  }

  /** @param {Element} answer @param {string} text @returns {Drawn} */
  #read(answer, text) {
    const known = this.#drawn.get(answer);
    if (known && text.startsWith(known.parser.text)) {
      known.parser.feed(text.slice(known.parser.text.length));
      known.ranges = null; // Rendered, the same text stands in other nodes.
      return known;
    }
    // The rendered text replaced the live one: the same marks at other places.
    const parser = new GroundingParser();
    parser.feed(text);
    const drawn = { parser, marks: [], figures: known?.figures ?? new Map(), ranges: null };
    this.#drawn.set(answer, drawn);
    return drawn;
  }

  /** @param {any} answer @param {Drawn} drawn */
  #show(answer, drawn) {
    const pictures = picturesBefore(this.#list, answer);
    const { model, detail } = this.#options.answerer();
    const writer = answer.querySelector('[data-stat="model"]').textContent;
    const answerer = { model: writer || model, detail: answer.dataset.pixels || detail };
    drawn.ranges = null;
    /** @type {Map<Picture, Mark[]>} */
    const byPicture = Map.groupBy(drawn.marks, (mark) => pictures.all[(mark.picture ?? 0) - 1] ?? pictures.asked);
    for (const [picture, marks] of byPicture) {
      if (!picture) continue; // It points at nothing that was sent.
      const figure = drawn.figures.get(picture.id) ?? this.#addFigure(answer, drawn, picture);
      figure.show(marks, answerer);
    }
  }

  /** @param {any} answer @param {Drawn} drawn @param {Picture} picture */
  #addFigure(answer, drawn, picture) {
    const { toast, onOpen } = this.#options;
    const figure = new GroundedFigure(picture, {
      toast,
      onOpen,
      onHover: (mark) => this.#emphasise(answer, mark),
    });
    drawn.figures.set(picture.id, figure);
    find("grounding", answer).append(figure.element);
    return figure;
  }

  /** @param {Element} answer @param {Mark | null} mark */
  #emphasise(answer, mark) {
    const drawn = this.#drawn.get(answer);
    if (!drawn) return;
    this.#lit = mark && answer;
    for (const figure of drawn.figures.values()) figure.emphasise(mark);
    highlight(mark ? this.#ranges(answer, drawn)[drawn.marks.indexOf(mark)] : undefined);
  }

  /** @param {Element} answer @param {Drawn} drawn */
  #ranges(answer, drawn) {
    drawn.ranges ??= rangesOf(find("body", answer), drawn.marks);
    return drawn.ranges;
  }

  /** @param {PointerEvent} event */
  #pointed(event) {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("[data-grounded]")) return; // The figure tells it itself.
    const answer = target.closest("[data-body]")?.closest("[data-message]");
    const drawn = answer && this.#drawn.get(answer);
    if (!drawn) {
      if (this.#lit) this.#emphasise(this.#lit, null);
      return;
    }
    const index = rangeAt(this.#ranges(answer, drawn), event.clientX, event.clientY);
    this.#emphasise(answer, index === null ? null : drawn.marks[index]);
  }
}

/**
 * The pictures that an answer can point at: all that were sent before it, numbered as in the
 * prompt, and the first of those that were sent last.
 * @param {Element} list
 * @param {Element} answer
 * @returns {{all: Picture[], asked: Picture | undefined}}
 */
function picturesBefore(list, answer) {
  const messages = [...list.children];
  const questions = picturesUpTo(list, messages.slice(0, messages.indexOf(answer)));
  return { all: questions.flat(), asked: questions.findLast(({ length }) => length > 0)?.[0] };
}
