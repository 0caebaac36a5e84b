/**
 * Thumbs on answers, with a comment; the pressed one takes its judgement back. Owns their buttons and
 * forms; the server keeps the judgement.
 */

import { change } from "./api.js";
import { cloneTemplate, find, on, onWithin } from "./dom.js";
import { say } from "./texts.js";

/**
 * Watch the transcript.
 * @param {Element} list
 * @param {{url(reply: string): string, csrfToken(): string, toast(text: string): void}} options
 */
export function watchFeedback(list, { url, csrfToken, toast }) {
  /** @param {any} answer @param {{value: number, comment: string} | null} judgement null: none any more */
  async function send(answer, judgement) {
    const request = { csrfToken: csrfToken(), body: judgement ?? undefined };
    try {
      await change(judgement ? "POST" : "DELETE", url(answer.dataset.message), request);
    } catch {
      toast(say("change_failed"));
      return false;
    }
    showJudgement(answer, judgement?.value ?? 0);
    return true;
  }

  onWithin(list, "click", "feedback", async (button) => {
    const answer = button.closest("[data-message]");
    const form = formOf(answer);
    const comment = find("feedback-comment", form);
    const isWithdrawn = button.getAttribute("aria-pressed") === "true";
    const judgement = isWithdrawn ? null : { value: Number(button.dataset.feedback), comment: "" };
    if (!(await send(answer, judgement))) return;
    comment.value = ""; // The judgement before took its comment along.
    form.hidden = isWithdrawn;
    if (!isWithdrawn) comment.focus();
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

/**
 * The form of an answer, which it has from its first judgement on: hundreds of forms would be costly,
 * since browsers look through all of them whenever one is added.
 * @param {Element} answer
 * @returns {any}
 */
function formOf(answer) {
  const known = answer.querySelector("[data-feedback-form]");
  return known ?? find("answer-footer", answer).appendChild(cloneTemplate("feedback"));
}
