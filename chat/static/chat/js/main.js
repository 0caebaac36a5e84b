/**
 * The page's wiring: one conversation, its state, and the parts that read it.
 * Owns the pieces' lives; decides nothing that a part can decide.
 */

import { startApp } from "./app.js";
import { Conversation } from "./conversation.js";
import { watchDrawer } from "./drawer.js";
import { cookie, find, on, readData } from "./dom.js";
import { watchFeedback } from "./feedback.js";
import { watchHistory } from "./history.js";
import { watchKeyboard } from "./keyboard.js";
import { PageChooser } from "./page_chooser.js";
import { closeWhenChosen } from "./page_head.js";
import { RunBar } from "./run_bar.js";
import { watchShortcuts } from "./shortcuts.js";
import { watchSignOut } from "./sign_out.js";
import { setTexts } from "./texts.js";
import { watchTheme } from "./theme.js";
import { toast } from "./toasts.js";

const page = readData("page-data");
const csrfToken = () => cookie(page.csrf_cookie);
setTexts(page.texts, document.documentElement.lang);
watchTheme(document.body);
watchDrawer();
watchKeyboard();
watchSignOut();
closeWhenChosen(find("export-list"));
watchFeedback(find("messages"), {
  url: (reply) => `${page.urls.replies}${reply}/feedback/`,
  csrfToken,
  toast,
});
watchHistory(find("scroller"), { url: `${page.urls.home}c/${page.conversation}/messages/`, toast });
const conversation = new Conversation(page);
new PageChooser(find("page-chooser"), { urls: page.urls, limits: page.limits, csrfToken });
const runBar = document.querySelector("[data-run]");
if (runBar instanceof HTMLElement) {
  new RunBar(runBar, find("messages"), { runsUrl: page.urls.runs, csrfToken, toast });
}
watchShortcuts(conversation);
conversation.start();
if (!navigator.onLine) conversation.setOnline(false); // kept for reading without a network
startApp();
performance.mark("vl-usable"); // what `make bench-ui` measures

on(window, "online", () => conversation.setOnline(true));
on(window, "offline", () => conversation.setOnline(false));
on(document, "visibilitychange", () => !document.hidden && conversation.wake());
on(window, "pagehide", () => conversation.stop());
on(window, "pageshow", (event) => event.persisted && location.reload());
on(window, "popstate", () => location.reload());
