/**
 * The only module that turns a string into markup, under the only Trusted Types policy of the
 * page. What it is given was rendered and sanitised by the server.
 */

const WORKER = "/sw.js";

/** @type {{createHTML(html: string): any, createScriptURL(url: string): any}} */
const policy = /** @type {any} */ (globalThis).trustedTypes?.createPolicy("chat", {
  createHTML: (/** @type {string} */ html) => html,
  createScriptURL: (/** @type {string} */ url) => {
    if (url !== WORKER) throw new TypeError(`${url} is no script of this page.`);
    return url;
  },
}) ?? { createHTML: (html) => html, createScriptURL: (url) => url };

/**
 * Replace an element's content by HTML from the server.
 * @param {Element} element
 * @param {string} html
 */
export function placeHtml(element, html) {
  element.innerHTML = policy.createHTML(html);
}

/** The one script that may be loaded by its address: the service worker. @returns {any} */
export function workerAddress() {
  return policy.createScriptURL(WORKER);
}

/**
 * Make the nodes of HTML from the server.
 * @param {string} html
 * @returns {DocumentFragment}
 */
export function fragmentFrom(html) {
  const template = document.createElement("template");
  placeHtml(template, html);
  return template.content;
}

/**
 * Make the first element of HTML from the server.
 * @param {string} html
 * @returns {HTMLElement}
 */
export function elementFrom(html) {
  return /** @type {HTMLElement} */ (fragmentFrom(html).firstElementChild);
}
