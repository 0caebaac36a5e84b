/** Lists the conversations that can be read without a network. Owns the list of the page. */

import { find, on } from "./dom.js";
import { watchTheme } from "./theme.js";

const PRIVATE = "vl-private";

watchTheme(document.body);
on(find("again"), "click", () => location.reload());
const list = find("kept");
for (const { path, title } of await kept()) {
  const link = document.createElement("a");
  link.href = path;
  link.textContent = title;
  const item = document.createElement("li");
  item.append(link);
  list.append(item);
}
find("kept-section").hidden = list.childElementCount === 0;

/** Newest first. @returns {Promise<{path: string, title: string}[]>} */
async function kept() {
  const cache = (await caches.has(PRIVATE)) ? await caches.open(PRIVATE) : null;
  const requests = (await cache?.keys()) ?? [];
  const pages = requests.filter(({ url }) => new URL(url).pathname.startsWith("/c/")).reverse();
  return Promise.all(pages.map(async (request) => {
    const text = (await (await cache?.match(request))?.text()) ?? "";
    return { path: new URL(request.url).pathname, title: titleOf(text) };
  }));
}

/** @param {string} html @returns {string} */
function titleOf(html) {
  const title = /<title>(.*?)<\/title>/s.exec(html)?.[1] ?? "";
  const entities = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'", "&amp;": "&" };
  const plain = title.replace(/&(lt|gt|quot|#x27|amp);/g, (name) => /** @type {any} */ (entities)[name]);
  return plain.replace(/ · [^·]*$/, "");
}
