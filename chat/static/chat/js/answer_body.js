/**
 * What stands in an answer's body: while it is written, its complete blocks as the server rendered
 * them, and behind them the rest as text; in the end all of it, rendered. Owns the body's nodes, and
 * leaves those in place that do not change: what is selected or scrolled within them stays so.
 */

import { cloneTemplate } from "./dom.js";
import { fragmentFrom } from "./html.js";
import { dropText, growText } from "./live_text.js";
import { holdRows } from "./long_tables.js";
import { openText } from "./reply_blocks.js";

/** @type {WeakMap<Node, Node>} what the server gave, where the page added to it */
const sources = new WeakMap();
/** @type {WeakMap<Element, number>} by the element of the open text: the blocks before it */
const placed = new WeakMap();

/**
 * Show what there is of an answer that is being written.
 * @param {Element} body
 * @param {import("./conversation_state.js").Reply} reply
 */
export function growBody(body, reply) {
  const live = liveText(body, reply.text);
  if (!live) return;
  const text = openText(reply);
  const added = reply.blocks.slice(placed.get(live) ?? 0);
  for (const { html } of added) live.before(finished(fragmentFrom(html)));
  placed.set(live, reply.blocks.length);
  if (added.length > 0) dropText(live, text);
  growText(live, text);
}

/**
 * Show an answer that has ended.
 * @param {Element} body
 * @param {string} html
 */
export function settleBody(body, html) {
  const shown = [...body.childNodes];
  const fragment = fragmentFrom(html);
  const settled = [...fragment.childNodes];
  const changed = shown.filter((node, place) => !settled[place]?.isEqualNode(sourceOf(node)));
  settled.forEach((node, place) => shown[place] && !changed.includes(shown[place]) && node.remove());
  for (const node of [...finished(fragment).childNodes]) {
    const before = changed.shift();
    if (before) before.replaceWith(node);
    else body.append(node);
  }
  for (const left of changed) left.remove();
}

/**
 * Add to a rendered text what only the page has: buttons to copy code.
 * @param {ParentNode} body
 */
export function finishBody(body) {
  for (const block of body.querySelectorAll("pre")) {
    if (block.parentElement?.classList.contains("code-block")) continue;
    const frame = document.createElement("div");
    frame.className = "code-block";
    block.replaceWith(frame);
    frame.append(block, cloneTemplate("copy-code"));
  }
}

/** The element of the open text; null while an answer that goes on has no new text. @param {Element} body @param {string} text */
function liveText(body, text) {
  const known = body.querySelector(":scope > [data-live]");
  if (known || !text) return known;
  const live = document.createElement("div");
  live.className = "live-text";
  live.dataset.live = "";
  live.dir = "auto";
  body.replaceChildren(live);
  return live;
}

/**
 * Make rendered blocks ready for the page, keeping what the server gave.
 * @param {DocumentFragment} fragment
 */
function finished(fragment) {
  const given = [...fragment.childNodes].map((node) => (isAddedTo(node) ? node.cloneNode(true) : null));
  finishBody(fragment); // A frame takes the place of what it frames.
  holdRows(fragment);
  fragment.childNodes.forEach((node, place) => {
    const source = given[place];
    if (source) sources.set(node, source);
  });
  return fragment;
}

/** @param {Node} node */
function isAddedTo(node) {
  return node instanceof Element && (node.matches("pre") || node.querySelector("pre, tbody") !== null);
}

/** @param {Node} node @returns {Node} */
function sourceOf(node) {
  return sources.get(node) ?? node;
}
