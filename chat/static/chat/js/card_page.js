/** The scripts of the account and error pages: the theme, and what allauth's scripts cannot say. */

import { watchTheme } from "./theme.js";

watchTheme(document.body);

// allauth tells the console alone when a passkey was not used: cancelled, unknown, or no HTTPS.
document.addEventListener("allauth.error", (event) => {
  const notice = document.querySelector("[data-passkey-error]");
  if (notice instanceof HTMLElement) {
    event.preventDefault();
    notice.hidden = false;
  }
});
