/**
 * Where pictures come from: file picker, camera, clipboard, drag and drop.
 * Owns the drop zone's look; hands the files on, PDFs to the page chooser.
 */

import { divertDocuments } from "./documents.js";
import { find, on } from "./dom.js";

/**
 * Watch the composer and the page.
 * @param {HTMLElement} form
 * @param {(files: File[]) => void} onFiles
 */
export function watchPictureSources(form, onFiles) {
  const take = (/** @type {File[]} */ files) => {
    const pictures = divertDocuments(form, files);
    if (pictures.length > 0) onFiles(pictures);
  };
  watchPicker(find("pick", form), find("file-input", form), take);
  watchPicker(find("camera", form), find("camera-input", form), take);
  on(document, "paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0 || isElsewhere(event.target, form)) return;
    event.preventDefault();
    take(files);
  });
  watchDrop(form, take);
}

/** @param {HTMLElement} button @param {HTMLInputElement} input @param {(files: File[]) => void} onFiles */
function watchPicker(button, input, onFiles) {
  on(button, "click", () => input.click());
  on(input, "change", () => {
    onFiles([...(input.files ?? [])]);
    input.value = ""; // The same file can be chosen again.
  });
}

/** @param {EventTarget | null} target @param {HTMLElement} form */
function isElsewhere(target, form) {
  const isField = target instanceof Element && target.closest("input, textarea");
  return Boolean(isField) && !form.contains(/** @type {Node} */ (target));
}

/** @param {HTMLElement} form @param {(files: File[]) => void} onFiles */
function watchDrop(form, onFiles) {
  const hint = find("drop-hint", form);
  let depth = 0; // Enter and leave come for every element on the way.
  const show = (/** @type {boolean} */ isOver) => {
    hint.hidden = !isOver;
    form.classList.toggle("composer--drop", isOver);
  };
  on(document, "dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    show(true);
  });
  on(document, "dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    show(depth > 0);
  });
  on(document, "dragover", (event) => {
    if (hasFiles(event)) event.preventDefault();
  });
  on(document, "drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    onFiles([...event.dataTransfer.files]);
  });
}

/** @param {DragEvent} event */
function hasFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}
