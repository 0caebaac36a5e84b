/**
 * What the page knows of its conversation, and how frames change it: frames in, state out.
 * Owns every state change, with reply_state.js; knows no page, no socket and no clock (the time is
 * given).
 * States are never changed in place, so a view may compare them.
 */

import { countCodePoints } from "./protocol.js";
import { withPart } from "./reply_blocks.js";
import { newReply, reduceReply } from "./reply_state.js";

/**
 * @typedef {import("./protocol.js").Frame} Frame
 * @typedef {"waiting" | "sent" | "accepted" | "refused"} QuestionStatus
 * @typedef {{id: string, conversation: string | null, text: string, images: string[],
 *   edits?: string | null, options?: import("./protocol.js").Options, status: QuestionStatus, error: string, message: string | null, reply: string | null}} Question
 * @typedef {import("./reply_state.js").Reply} Reply
 * @typedef {{conversation: string | null, title: string, isDeleted: boolean, info: Frame | null,
 *   questions: Record<string, Question>, replies: Record<string, Reply>,
 *   unseen: {message: string, reply: string} | null, continuing: string | null}} State
 */

/**
 * The state of a page before any frame.
 * @param {string | null} conversation
 * @returns {State}
 */
export function emptyState(conversation = null) {
  return {
    conversation,
    title: "",
    isDeleted: false,
    info: null,
    questions: {},
    replies: {},
    unseen: null,
    continuing: null,
  };
}

/**
 * Note that somebody here wants an ended answer to be written on; what is shown of it stays until
 * its text comes again.
 * @param {State} state
 * @param {string} reply
 * @returns {State}
 */
export function continueReply(state, reply) {
  return { ...state, continuing: reply };
}

/**
 * Add a reply that the page already shows, with the text that it shows.
 * @param {State} state
 * @param {string} id
 * @param {{text?: string, isOpen?: boolean, imageCount?: number}} [known]
 * @returns {State}
 */
export function addReply(state, id, { text = "", isOpen = true, imageCount = 0 } = {}) {
  const reply = { ...newReply(id), text, length: countCodePoints(text), isOpen, imageCount };
  const unseen = state.unseen?.reply === id ? null : state.unseen;
  return { ...state, unseen, replies: { ...state.replies, [id]: reply } };
}

/**
 * Add complete blocks of a reply, rendered; what does not fit changes nothing.
 * @param {State} state
 * @param {string} id
 * @param {import("./reply_blocks.js").Part} part
 * @returns {State}
 */
export function addPart(state, id, part) {
  const reply = state.replies[id];
  const next = reply?.isOpen ? withPart(reply, part) : reply;
  return next === reply ? state : withReply(state, next);
}

/**
 * Add a question that the person asked here.
 * @param {State} state
 * @param {import("./protocol.js").Turn} turn
 * @returns {State}
 */
export function addQuestion(state, turn) {
  /** @type {Question} */
  const question = { ...turn, status: "waiting", error: "", message: null, reply: null };
  return withQuestion(state, question);
}

/**
 * Note that a question left for the server, or waits again because the connection is gone.
 * @param {State} state
 * @param {string} id
 * @param {"waiting" | "sent"} status
 * @returns {State}
 */
export function markQuestion(state, id, status) {
  const question = state.questions[id];
  if (!question || question.status === "accepted" || question.status === status) return state;
  return withQuestion(state, { ...question, status, error: "" });
}

/**
 * Forget a question that was taken back.
 * @param {State} state
 * @param {string} id
 * @returns {State}
 */
export function dropQuestion(state, id) {
  const { [id]: _, ...questions } = state.questions;
  return { ...state, questions };
}

/**
 * Replies whose end has not been seen.
 * @param {State} state
 * @returns {Reply[]}
 */
export function openReplies(state) {
  return Object.values(state.replies).filter((reply) => reply.isOpen);
}

/**
 * Questions on their way: not yet accepted, not refused.
 * @param {State} state
 * @returns {Question[]}
 */
export function pendingQuestions(state) {
  return Object.values(state.questions).filter(
    ({ status }) => status === "waiting" || status === "sent",
  );
}

/**
 * The turn that another tab started and this one does not show. None while an own question is
 * under way: the card of one's own turn can overtake its `accepted`.
 * @param {State} state
 * @returns {{message: string, reply: string} | null}
 */
export function turnToLoad(state) {
  return pendingQuestions(state).some(({ status }) => status === "sent") ? null : state.unseen;
}

/**
 * Apply one server frame.
 * @param {State} state
 * @param {Frame} frame
 * @param {number} now milliseconds of any steady clock
 * @returns {State}
 */
export function reduce(state, frame, now) {
  switch (frame.type) {
    case "info":
      return { ...state, info: frame };
    case "accepted":
      return accept(state, frame);
    case "error":
      return fail(state, frame);
    case "conversation":
      return applyCard(state, frame);
    case "status":
    case "partial":
    case "final":
      return applyToReply(state, frame, now);
    default:
      return state;
  }
}

/** @param {State} state @param {Frame} frame @param {number} now @returns {State} */
function applyToReply(state, frame, now) {
  const reply = state.replies[frame.reply]; // none, where it is not shown here
  const next = reply && reduceReply(reply, frame, now);
  return next === reply ? state : withReply(state, next);
}

/** @param {State} state @param {Frame} frame @returns {State} */
function accept(state, frame) {
  const question = state.questions[frame.id];
  if (!frame.id) return goOn(state, frame);
  if (!question || question.status === "accepted") return state;
  const { conversation, message, reply } = frame;
  const accepted = withQuestion(state, {
    ...question,
    status: "accepted",
    error: "",
    conversation,
    message,
    reply,
  });
  const isHere = state.conversation === null || state.conversation === conversation;
  if (!isHere) return accepted;
  const title = frame.title || state.title;
  const here = { ...accepted, conversation, title };
  if (here.replies[reply]) return here;
  // It stands beside others: the server draws it with its place among them.
  if (question.edits) return { ...here, unseen: { message, reply } };
  return addReply(here, reply, { imageCount: question.images.length });
}

/** @param {State} state @param {Frame} frame @returns {State} */
function goOn(state, { reply }) {
  return reply === state.continuing ? { ...addReply(state, reply), continuing: null } : state;
}

/** @param {State} state @param {Frame} frame @returns {State} */
function fail(state, frame) {
  const reply = frame.reply && state.replies[frame.reply];
  if (reply && reply.isOpen) {
    return withReply(state, { ...reply, isOpen: false, hasGap: false, error: frame.content });
  }
  const question = frame.id && state.questions[frame.id];
  if (question && question.status !== "accepted") {
    return withQuestion(state, { ...question, status: "refused", error: frame.content });
  }
  return state;
}

/** @param {State} state @param {Frame} frame @returns {State} */
function applyCard(state, frame) {
  if (!state.conversation || frame.conversation !== state.conversation) return state;
  if (frame.is_deleted) return { ...state, isDeleted: true };
  const { message, reply } = frame;
  const known = state.replies[reply];
  const isAsked = Object.values(state.questions).some((question) => question.reply === reply);
  // One that has ended here and is written again is gone on with, from another tab.
  const isKnown = !reply || known?.isOpen || ((known || isAsked) && !frame.is_generating);
  return { ...state, title: frame.title, unseen: isKnown ? state.unseen : { message, reply } };
}

/** @param {State} state @param {Question} question @returns {State} */
function withQuestion(state, question) {
  return { ...state, questions: { ...state.questions, [question.id]: question } };
}

/** @param {State} state @param {Reply} reply @returns {State} */
function withReply(state, reply) {
  return { ...state, replies: { ...state.replies, [reply.id]: reply } };
}
