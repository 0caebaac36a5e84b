/**
 * Calls over HTTP: the JSON API and the fragments of the page. Owns nothing.
 */

/** An answer that is not the wanted one. */
export class ApiError extends Error {
  /** @param {number} status @param {string} text for people, where the server gave one */
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/**
 * Change something.
 * @param {"POST" | "PATCH" | "DELETE"} method
 * @param {string} url
 * @param {{csrfToken: string, body?: unknown}} options
 * @returns {Promise<any>} what it is now; null where nothing is said
 */
export async function change(method, url, { csrfToken, body }) {
  const response = await fetch(url, {
    method,
    headers: { "X-CSRFToken": csrfToken, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (!response.ok) throw new ApiError(response.status, await errorText(response));
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/**
 * Ask for something to be made or done, and hear what came of it.
 * @param {string} url
 * @param {{csrfToken: string, body: unknown, signal?: AbortSignal}} options
 * @returns {Promise<any>} the answer's JSON
 */
export async function post(url, { csrfToken, body, signal }) {
  const headers = { "X-CSRFToken": csrfToken, "Content-Type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal });
  if (!response.ok) throw new ApiError(response.status, await errorText(response));
  return response.json();
}

/**
 * Look something up.
 * @param {string} url
 * @returns {Promise<any>} the answer's JSON
 */
export async function load(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new ApiError(response.status, await errorText(response));
  return response.json();
}

/**
 * Load a piece of HTML.
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<string>}
 */
export async function loadFragment(url, signal) {
  const response = await fetch(url, { headers: { Accept: "text/html" }, signal });
  // Signed out: the answer is the sign-in page, which is no fragment.
  if (!response.ok || response.redirected) throw new ApiError(response.status, "");
  return response.text();
}

/** @param {Response} response @returns {Promise<string>} */
async function errorText(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return "";
  }
}
