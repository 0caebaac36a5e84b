/**
 * The page's wiring: one conversation, its state, and the parts that read it.
 * Owns the pieces' lives; decides nothing that a part can decide.
 */

import { Conversation } from "./conversation.js";
import { watchDrawer } from "./drawer.js";
import { find, on, readData } from "./dom.js";
import { closeWhenChosen } from "./page_head.js";
import { watchShortcuts } from "./shortcuts.js";
import { setTexts } from "./texts.js";
import { watchTheme } from "./theme.js";

const page = readData("page-data");
setTexts(page.texts, document.documentElement.lang);
watchTheme(document.body);
watchDrawer();
closeWhenChosen(find("export-list"));
const conversation = new Conversation(page);
watchShortcuts(conversation);
conversation.start();

on(window, "online", () => conversation.setOnline(true));
on(window, "offline", () => conversation.setOnline(false));
on(document, "visibilitychange", () => !document.hidden && conversation.wake());
on(window, "pagehide", () => conversation.stop());
on(window, "pageshow", (event) => event.persisted && location.reload());
on(window, "popstate", () => location.reload());
