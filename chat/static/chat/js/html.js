/**
 * The only module that turns a string into markup, under the only Trusted Types policy of the
 * page. What it is given was rendered and sanitised by the server.
 */

/** @type {{createHTML(html: string): any}} */
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("chat", {
  createHTML: (/** @type {string} */ html) => html,
}) ?? { createHTML: (html) => html };

/**
 * Replace an element's content by HTML from the server.
 * @param {Element} element
 * @param {string} html
 */
export function placeHtml(element, html) {
  element.innerHTML = policy.createHTML(html);
}

/**
 * Make the first element of HTML from the server.
 * @param {string} html
 * @returns {HTMLElement}
 */
export function elementFrom(html) {
  const template = document.createElement("template");
  placeHtml(template, html);
  return /** @type {HTMLElement} */ (template.content.firstElementChild);
}
