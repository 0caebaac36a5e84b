/**
 * The service worker: shows conversations that were loaded when there is no network, to read.
 * Owns the caches. What is private lies in one of them, for one person, and goes when they sign
 * out, when somebody else signs in, and when the server says that the session is over.
 */

const worker = /** @type {any} */ (self);
const PRIVATE = "vl-private";
const FILES = "vl-files";
const OFFLINE = "/offline/";
const PERSON = "/person"; // no page: under this name the cache notes whose it is
const MAX_PRIVATE = 400; // pages and small pictures
const MAX_FILES = 400;
const HASHED = /\.[0-9a-f]{12}\.\w+$/;
const CONVERSATION = /^\/(c\/[0-9a-f-]{36}\/)?$/;

worker.addEventListener("install", (/** @type {any} */ event) => {
  worker.skipWaiting();
  event.waitUntil(keepOfflinePage());
});

worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("message", (/** @type {any} */ event) => {
  if (event.data === "forget") event.waitUntil(forget());
});

worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method === "POST" && url.pathname.startsWith("/accounts/")) {
    event.waitUntil(forget()); // signed out, or in as somebody else
  } else if (request.method === "GET") {
    const answer = answerOf(request, url);
    if (answer) event.respondWith(answer);
  }
});

/** @param {Request} request @param {URL} url @returns {Promise<Response> | null} */
function answerOf(request, url) {
  if (request.mode === "navigate") return pageOf(request, url);
  if (HASHED.test(url.pathname)) return keptFirst(FILES, request, MAX_FILES);
  const isThumbnail = url.pathname.startsWith("/api/images/") && url.searchParams.get("size") === "thumb";
  return isThumbnail ? thumbnailOf(request) : null;
}

/** @param {Request} request @param {URL} url */
async function pageOf(request, url) {
  try {
    const response = await fetch(request);
    if (isSignIn(response)) await forget();
    else if (response.ok && CONVERSATION.test(url.pathname)) await keepPage(url.pathname, response.clone());
    return response;
  } catch (error) {
    const kept = await find(PRIVATE, url.pathname);
    const instead = kept ?? (await find(FILES, OFFLINE));
    if (!instead) throw error;
    return instead;
  }
}

/** Whether the server sent somebody who is not signed in to the door. @param {Response} response */
function isSignIn(response) {
  const isDoor = new URL(response.url || location.href).pathname.startsWith("/accounts/login/");
  return isDoor || response.type === "opaqueredirect";
}

/** @param {string} path @param {Response} response */
async function keepPage(path, response) {
  const person = response.headers.get("X-VL-Person");
  if (!person) return;
  const cache = await caches.open(PRIVATE);
  const known = await cache.match(PERSON);
  if (known && (await known.text()) !== person) await forget();
  const own = await caches.open(PRIVATE);
  await own.put(PERSON, new Response(person));
  await own.put(path, response);
  await trim(own, MAX_PRIVATE);
}

/** Pictures of pages that are kept; nothing is, before a page says whose. @param {Request} request */
async function thumbnailOf(request) {
  const isKept = await find(PRIVATE, PERSON);
  return isKept ? keptFirst(PRIVATE, request, MAX_PRIVATE) : fetch(request);
}

/** What never changes. @param {string} name @param {Request} request @param {number} limit */
async function keptFirst(name, request, limit) {
  const kept = await find(name, request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) {
    const cache = await caches.open(name);
    await cache.put(request, response.clone());
    await trim(cache, limit);
  }
  return response;
}

/** @param {string} name @param {string | Request} request */
async function find(name, request) {
  return (await caches.has(name)) ? (await caches.open(name)).match(request) : undefined;
}

/** The oldest go first; whose it is stays. @param {Cache} cache @param {number} limit */
async function trim(cache, limit) {
  const keys = (await cache.keys()).filter(({ url }) => ![PERSON, OFFLINE].includes(new URL(url).pathname));
  await Promise.all(keys.slice(0, Math.max(0, keys.length - limit)).map((key) => cache.delete(key)));
}

function forget() {
  return caches.delete(PRIVATE);
}

/** With its styles and scripts: they are needed when nothing else is there. */
async function keepOfflinePage() {
  const cache = await caches.open(FILES);
  const response = await fetch(OFFLINE);
  const html = await response.clone().text();
  await cache.put(OFFLINE, response);
  const needed = [...html.matchAll(/(?:href|src)="(\/static\/[^"]+)"/g)].map(([, path]) => path);
  await cache.addAll(needed.filter((path) => HASHED.test(path)));
}
