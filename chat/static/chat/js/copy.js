/**
 * The copy buttons of answers and of code blocks. Owns their feedback; changes nothing else.
 */

import { on, onWithin } from "./dom.js";
import { bringAllRows } from "./long_tables.js";
import { say } from "./texts.js";

/**
 * Watch the transcript for copy buttons.
 * @param {Element} list
 * @param {(text: string) => void} toast
 * @param {(replyId: string) => string | null} sourceOf the Markdown of a reply, where it is known
 * @returns {() => void}
 */
export function watchCopyButtons(list, toast, sourceOf) {
  const releases = [
    onWithin(list, "click", "copy-code", (button) => {
      copyText(button.closest(".code-block").querySelector("pre").textContent, toast);
    }),
    onWithin(list, "click", "copy-answer", (button) => {
      const message = button.closest("[data-message]");
      const body = message.querySelector("[data-body]");
      copyText(sourceOf(message.dataset.message) ?? body.innerText, toast);
    }),
    onWithin(list, "click", "copy-rich", (button) => {
      copyRich(button.closest("[data-message]").querySelector("[data-body]"), toast);
    }),
  ];
  return () => releases.forEach((release) => release());
}

/**
 * Copy an element as people see it, for what takes formatting, and as plain text for what does not.
 * @param {HTMLElement} body
 * @param {(text: string) => void} toast
 */
async function copyRich(body, toast) {
  bringAllRows();
  const copy = /** @type {HTMLElement} */ (body.cloneNode(true));
  for (const button of copy.querySelectorAll("button")) button.remove();
  const forms = {
    "text/html": new XMLSerializer().serializeToString(copy),
    "text/plain": body.innerText,
  };
  const isCopied = (await copyForms(forms)) || copyFormsOld(forms);
  toast(say(isCopied ? "copied" : "copy_failed"));
}

/** Copy a text and say so. @param {string} text @param {(text: string) => void} toast */
export async function copyText(text, toast) {
  const isCopied = (await copyModern(text)) || copyOld(text);
  toast(say(isCopied ? "copied" : "copy_failed"));
}

/** @param {string} text @returns {Promise<boolean>} */
async function copyModern(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // Absent on plain http, or not allowed.
  }
}

/** @param {Record<string, string>} forms by type @returns {Promise<boolean>} */
async function copyForms(forms) {
  try {
    const blobs = Object.entries(forms).map(([type, text]) => [type, new Blob([text], { type })]);
    await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
    return true;
  } catch {
    return false; // Absent on plain http, or not allowed.
  }
}

/** @param {Record<string, string>} forms by type @returns {boolean} */
function copyFormsOld(forms) {
  const release = on(document, "copy", (event) => {
    event.preventDefault();
    for (const [type, text] of Object.entries(forms)) event.clipboardData.setData(type, text);
  });
  const isCopied = document.execCommand("copy");
  release();
  return isCopied;
}

/** @param {string} text @returns {boolean} */
function copyOld(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  const focused = document.activeElement;
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
