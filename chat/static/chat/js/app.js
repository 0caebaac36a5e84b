/**
 * The page as an app: its service worker, and what is kept for reading without a network.
 * Owns nothing; service_worker.js has the caches.
 */

import { workerAddress } from "./html.js";

/** Let the service worker see to this page, where the browser has one (HTTPS, or this machine). */
export async function startApp() {
  try {
    await navigator.serviceWorker?.register(workerAddress());
  } catch {
    // Not allowed here, or no network: the page does without.
  }
}

/** The session is over: nothing of it stays readable. */
export function forgetKept() {
  navigator.serviceWorker?.controller?.postMessage("forget");
}
