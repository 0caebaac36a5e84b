/**
 * Thumbs on answers, with a comment. Owns their buttons and forms; the server keeps the judgement.
 */

import { change } from "./api.js";
import { find, on, onWithin } from "./dom.js";
import { say } from "./texts.js";

/**
 * Watch the transcript.
 * @param {Element} list
 * @param {{url(reply: string): string, csrfToken(): string, toast(text: string): void}} options
 */
export function watchFeedback(list, { url, csrfToken, toast }) {
  /** @param {any} answer @param {{value: number, comment: string}} judgement */
  async function send(answer, { value, comment }) {
    try {
      await change("POST", url(answer.dataset.message), {
        csrfToken: csrfToken(),
        body: { value, comment },
      });
    } catch {
      toast(say("change_failed"));
      return false;
    }
    showJudgement(answer, value);
    return true;
  }

  onWithin(list, "click", "feedback", async (button) => {
    const answer = button.closest("[data-message]");
    const form = find("feedback-form", answer);
    const comment = find("feedback-comment", form);
    if (!(await send(answer, { value: Number(button.dataset.feedback), comment: "" }))) return;
    comment.value = ""; // The judgement before took its comment along.
    form.hidden = false;
    comment.focus();
  });
  on(list, "submit", async (event) => {
    const form = event.target.closest("[data-feedback-form]");
    if (!form) return;
    event.preventDefault();
    const answer = form.closest("[data-message]");
    const value = Number(answer.querySelector('[data-feedback][aria-pressed="true"]').dataset.feedback);
    const isSent = await send(answer, { value, comment: find("feedback-comment", form).value });
    if (!isSent) return;
    form.hidden = true;
    toast(say("feedback_thanks"));
  });
}

/** @param {Element} answer @param {number} value */
function showJudgement(answer, value) {
  for (const button of answer.querySelectorAll("[data-feedback]")) {
    const isChosen = /** @type {HTMLElement} */ (button).dataset.feedback === String(value);
    button.setAttribute("aria-pressed", String(isChosen));
  }
}
