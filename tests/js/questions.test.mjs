import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import * as rules from "../../chat/static/chat/js/conversation_state.js";
import { Outbox } from "../../chat/static/chat/js/outbox.js";
import { Questions } from "../../chat/static/chat/js/questions.js";
import { FakeStorage } from "./fakes.mjs";

let storage, state, sent, isConnected, questions;
const only = () => Object.values(state.questions)[0];

function open(conversation = null) {
  state = rules.emptyState(conversation);
  return new Questions(new Outbox(storage, 1), {
    state: () => state,
    update: (next) => (state = next),
    send: (frame) => isConnected && Boolean(sent.push(frame)),
  });
}

beforeEach(() => {
  storage = new FakeStorage();
  sent = [];
  isConnected = true;
  questions = open();
});

test("a question leaves at once while connected", () => {
  questions.ask({ text: "What?", images: ["i"] });
  assert.equal(only().status, "sent");
  assert.deepEqual(sent, [{ type: "message", id: only().id, text: "What?", images: ["i"] }]);
});

test("the first question takes the conversation's options along, and a later one does not", () => {
  questions.ask({ text: "What?", images: [], options: { seed: 1 } });
  assert.deepEqual(sent[0].conversation_options, { seed: 1 });
  questions = open("there");
  questions.ask({ text: "What?", images: [], options: { seed: 1 } });
  assert.equal(sent[1].conversation_options, undefined);
});

test("a question waits offline and leaves later with the same id, also after a reload", () => {
  isConnected = false;
  questions.ask({ text: "What?", images: [] });
  const { id, status } = only();
  assert.equal(status, "waiting");
  questions = open();
  questions.restore(null);
  isConnected = true;
  questions.sendAll();
  assert.deepEqual(sent.map((frame) => frame.id), [id]);
  assert.equal(only().status, "sent");
});

test("a lost connection sends an unaccepted question again, an accepted one not", () => {
  questions.ask({ text: "What?", images: [] });
  questions.wait();
  assert.equal(only().status, "waiting");
  questions.sendAll();
  assert.equal(sent.length, 2);
  assert.equal(questions.hear({ type: "accepted", id: only().id }), true);
  questions.sendAll();
  assert.equal(sent.length, 2);
});

test("another conversation's question is sent, but not shown here", () => {
  isConnected = false;
  open("there").ask({ text: "What?", images: [] });
  questions = open("here");
  questions.restore("here");
  isConnected = true;
  questions.sendAll();
  assert.deepEqual(state.questions, {});
  assert.equal(sent[0].conversation, "there");
});

test("signed out keeps the question, a refusal does not", () => {
  questions.ask({ text: "What?", images: [] });
  const { id } = only();
  questions.hear({ type: "error", code: "unauthenticated", id });
  assert.equal(new Outbox(storage, 1).list().length, 1);
  questions.hear({ type: "error", code: "queue_full", id });
  assert.deepEqual(new Outbox(storage, 1).list(), []);
  assert.equal(questions.hear({ type: "error", code: "bad_frame" }), false);
});

test("a question taken back gives its text and pictures", () => {
  isConnected = false;
  questions.ask({ text: "What?", images: ["i"] });
  assert.deepEqual(questions.takeBack(only().id), { text: "What?", images: ["i"] });
  assert.deepEqual(state.questions, {});
  assert.deepEqual(new Outbox(storage, 1).list(), []);
});
