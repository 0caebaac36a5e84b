import assert from "node:assert/strict";
import { test } from "node:test";

import * as rules from "../../chat/static/chat/js/conversation_state.js";
import { OpenReplies } from "../../chat/static/chat/js/open_replies.js";

function open(loaded) {
  const sent = [];
  const asked = [];
  let state = rules.emptyState("c");
  state = rules.addReply(state, "ended", { text: "over", isOpen: false });
  state = rules.addReply(state, "open", { text: "so 🐟" });
  const loader = { load: async (...call) => (asked.push(call), loaded) };
  const replies = new OpenReplies(loader, {
    state: () => state,
    update: (next) => (state = next),
    send: (frame) => Boolean(sent.push(frame)),
  });
  return { replies, sent, asked, hear: (frame) => (state = rules.reduce(state, frame, 0)), state: () => state };
}

test("what is being written is stopped where its reader is", () => {
  const { replies, sent } = open();
  replies.stopAll();
  assert.deepEqual(sent, [{ type: "stop", reply: "open", seen: 4 }]);
});

test("what was missed is asked for, of what is being written alone", () => {
  const { replies, sent } = open();
  replies.resumeAll();
  assert.deepEqual(sent, [{ type: "resume", reply: "open", offset: 4 }]);
});

const card = { type: "conversation", conversation: "c", title: "", message: "m", reply: "r", is_generating: true };

for (const isOpen of [true, false]) {
  test(`a turn of another tab is loaded and ${isOpen ? "followed" : "not followed"}`, async () => {
    const { replies, sent, asked, hear, state } = open({ isOpen, text: "", imageCount: 1 });
    hear(card);
    await replies.loadUnseen();
    assert.deepEqual(asked, [["c", { message: "m", reply: "r" }]]);
    assert.equal(state().replies.r.isOpen, isOpen);
    assert.deepEqual(sent, isOpen ? [{ type: "resume", reply: "r", offset: 0 }] : []);
  });
}

test("a turn that could not be loaded changes nothing", async () => {
  const { replies, hear, state } = open(null);
  hear(card);
  const before = state();
  await replies.loadUnseen();
  assert.equal(state(), before);
});
