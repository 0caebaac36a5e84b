/**
 * Which branch of the conversation is shown. Owns nothing; the server draws the branch.
 */

import { change } from "./api.js";
import { say } from "./texts.js";

/**
 * Show another branch.
 * @param {string} url the conversation's in the API
 * @param {{leaf: string, csrfToken: string, toast(text: string): void}} options `leaf` is its first
 *   message that is not shown
 */
export async function showBranch(url, { leaf, csrfToken, toast }) {
  try {
    await change("PATCH", url, { csrfToken, body: { leaf } });
    location.reload();
  } catch {
    toast(say("change_failed"));
  }
}
