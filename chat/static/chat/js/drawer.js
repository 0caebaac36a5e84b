/**
 * Opens and closes the conversation list: a drawer on the phone, a column on the desktop.
 * Owns `data-sidebar` of the page.
 */

import { find, on } from "./dom.js";

const PHONE = "(max-width: 52rem)";

/** Follow the buttons, the scrim and Escape. */
export function watchDrawer() {
  const phone = matchMedia(PHONE);
  const sidebar = find("sidebar");
  const toggle = find("sidebar-toggle");
  const isShown = () => document.body.dataset.sidebar === (phone.matches ? "open" : undefined);

  /** @param {boolean} isOpen */
  function show(isOpen) {
    if (phone.matches) set(isOpen ? "open" : undefined);
    else set(isOpen ? undefined : "closed");
    draw();
    if (phone.matches && isOpen) find("sidebar-close").focus();
    if (phone.matches && !isOpen) toggle.focus();
  }

  function draw() {
    const isOpen = isShown();
    toggle.setAttribute("aria-expanded", String(isOpen));
    sidebar.inert = !isOpen;
    find("scrim").hidden = !(phone.matches && isOpen);
    find("chat").inert = phone.matches && isOpen;
  }

  on(toggle, "click", () => show(!isShown()));
  on(find("sidebar-close"), "click", () => show(false));
  on(find("scrim"), "click", () => show(false));
  on(document, "keydown", (event) => {
    // What is open on top of it closes first.
    if (event.key !== "Escape" || document.querySelector(":popover-open, dialog[open]")) return;
    if (phone.matches && isShown()) show(false);
  });
  on(phone, "change", () => {
    set(undefined);
    draw();
  });
  draw();
}

/** @param {"open" | "closed" | undefined} value */
function set(value) {
  if (value) document.body.dataset.sidebar = value;
  else delete document.body.dataset.sidebar;
}
