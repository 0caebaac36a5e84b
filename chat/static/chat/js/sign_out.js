/** What a sign-out does in the browser. Owns nothing; the service worker forgets by itself what it keeps. */

import { on } from "./dom.js";
import { forgetUnsent, openStorage } from "./outbox.js";

/** Watch the page's forms that sign out: the menu's and the page's that asks once more. */
export function watchSignOut() {
  on(document, "submit", ({ target }) => {
    if (new URL(target.action).pathname.endsWith("/accounts/logout/")) forgetUnsent(openStorage());
  });
}
