/** The scripts of the account and error pages: the theme, the sign-out, and what allauth's scripts cannot say. */

import { watchSignOut } from "./sign_out.js";
import { watchTheme } from "./theme.js";

watchTheme(document.body);
watchSignOut();

// allauth tells the console alone when a passkey was not used: cancelled, unknown, or no HTTPS.
document.addEventListener("allauth.error", (event) => {
  const notice = document.querySelector("[data-passkey-error]");
  if (notice instanceof HTMLElement) {
    event.preventDefault();
    notice.hidden = false;
  }
});
