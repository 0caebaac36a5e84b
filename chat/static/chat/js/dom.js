/**
 * Small ways into the page: hooks (`data-*`), templates, the page's data, events with a release.
 * Owns nothing.
 */

/**
 * The element with the hook; throws where the page lacks it.
 * @param {string} hook
 * @param {ParentNode} [root]
 * @returns {any}
 */
export function find(hook, root = document) {
  const found = root.querySelector(`[data-${hook}]`);
  if (!found) throw new Error(`The page has no [data-${hook}].`);
  return found;
}

/**
 * A fresh copy of a `<template>`'s first element.
 * @param {string} name
 * @returns {any}
 */
export function cloneTemplate(name) {
  const template = document.querySelector(`template[data-template="${name}"]`);
  return /** @type {any} */ (template).content.firstElementChild.cloneNode(true);
}

/**
 * The JSON block that the server wrote into the page.
 * @param {string} id
 * @returns {any}
 */
export function readData(id) {
  return JSON.parse(document.getElementById(id)?.textContent ?? "{}");
}

/**
 * Listen, until the returned function is called.
 * @param {EventTarget} target
 * @param {string} type
 * @param {(event: any) => void} listener
 * @param {AddEventListenerOptions} [options]
 * @returns {() => void}
 */
export function on(target, type, listener, options) {
  target.addEventListener(type, listener, options);
  return () => target.removeEventListener(type, listener, options);
}

/**
 * Listen within `root` for events on elements with the hook, present or future.
 * @param {Element} root
 * @param {string} type
 * @param {string} hook
 * @param {(element: any, event: any) => void} listener
 * @returns {() => void}
 */
export function onWithin(root, type, hook, listener) {
  return on(root, type, (event) => {
    const element = event.target.closest(`[data-${hook}]`);
    if (element && root.contains(element)) listener(element, event);
  });
}

/**
 * The value of a cookie, or an empty string.
 * @param {string} name
 * @returns {string}
 */
export function cookie(name) {
  const found = document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

/**
 * Write text only where it changed, so that live regions stay quiet.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Whether a node stands between two others, in either order. @param {Node} node @param {Node} one @param {Node} other */
export function isBetween(node, one, other) {
  const isAfter = (/** @type {Node} */ a) =>
    Boolean(a.compareDocumentPosition(node) & node.DOCUMENT_POSITION_FOLLOWING);
  return isAfter(one) !== isAfter(other);
}
