import assert from "node:assert/strict";
import { test } from "node:test";

import * as rules from "../../chat/static/chat/js/conversation_state.js";
import { OpenReplies } from "../../chat/static/chat/js/open_replies.js";
import { FakeClock, settled } from "./fakes.mjs";

function open(loaded) {
  const sent = [];
  const asked = [];
  const clock = new FakeClock();
  let state = rules.emptyState("c");
  state = rules.addReply(state, "ended", { text: "over", isOpen: false });
  state = rules.addReply(state, "open", { text: "so 🐟" });
  const loader = {
    load: async (...call) => (asked.push(call), loaded),
    loadPart: async (id, offset, until) => ({ offset, end: until, html: `<p>${id}</p>` }),
  };
  const replies = new OpenReplies(loader, {
    state: () => state,
    update: (next) => (state = next),
    send: (frame) => Boolean(sent.push(frame)),
    clock,
  });
  return { replies, sent, asked, clock, hear: (frame) => (state = rules.reduce(state, frame, 0)), state: () => state };
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

test("a gap is asked for once", () => {
  const { replies, sent, hear, state } = open();
  const before = state().replies.open;
  hear({ type: "partial", reply: "open", offset: 9, content: "late" });
  const after = state().replies.open;
  replies.hear(after, before);
  replies.hear(after, after);
  assert.deepEqual(sent, [{ type: "resume", reply: "open", offset: 4 }]);
});

test("what is complete comes rendered", async () => {
  const { replies, clock, hear, state } = open();
  hear({ type: "partial", reply: "open", offset: 4, content: ".\n\n" });
  replies.hear(state().replies.open, undefined);
  clock.advance(0);
  await settled();
  assert.deepEqual(state().replies.open.blocks, [{ end: 7, at: 8, html: "<p>open</p>" }]);
});
