import assert from "node:assert/strict";
import { test } from "node:test";

import * as rules from "../../chat/static/chat/js/conversation_state.js";
import { countCodePoints, dropCodePoints } from "../../chat/static/chat/js/protocol.js";
import { seeded } from "./fakes.mjs";

const reply = "reply-1";
const partial = (offset, content) => ({ type: "partial", reply, offset, content });
const final = (content) => ({
  type: "final",
  reply,
  conversation: "c",
  content,
  html: `<p>${content}</p>`,
  finish_reason: "stop",
  usage: { completion_tokens: 3 },
  timings: { tokens_per_s: 9 },
  model: "demo",
  demo: true,
});
const following = (known = {}) => rules.addReply(rules.emptyState("c"), reply, known);
const play = (state, ...frames) => frames.reduce((s, frame, i) => rules.reduce(s, frame, i * 1000), state);
const turn = { id: "q-1", text: "What?", images: ["i"], conversation: null };

test("partials that follow each other make the text", () => {
  const state = play(following(), partial(0, "A red "), partial(6, "circle"));
  assert.equal(state.replies[reply].text, "A red circle");
  assert.equal(state.replies[reply].stage, "decode");
});

test("an overlapping partial adds only what is new", () => {
  const state = play(following(), partial(0, "A 🟥 sq"), partial(2, "🟥 square"));
  assert.equal(state.replies[reply].text, "A 🟥 square");
  assert.equal(state.replies[reply].length, 10);
});

test("a repeated partial changes nothing at all", () => {
  const once = play(following(), partial(0, "A red"));
  assert.equal(rules.reduce(once, partial(0, "A red"), 1), once);
});

test("a partial beyond the end shows a gap and adds nothing", () => {
  const state = play(following(), partial(0, "A"), partial(5, "circle"));
  assert.equal(state.replies[reply].text, "A");
  assert.equal(state.replies[reply].hasGap, true);
});

test("the resumed text closes the gap", () => {
  const state = play(following(), partial(0, "A"), partial(5, "d"), partial(1, " red d"));
  assert.equal(state.replies[reply].text, "A red d");
  assert.equal(state.replies[reply].hasGap, false);
});

test("the end replaces the text and nothing follows it", () => {
  const ended = play(following(), partial(0, "A"), final("A circle."));
  const after = play(ended, partial(1, "nonsense"), { type: "error", reply, content: "no" });
  assert.equal(after, ended);
  const { text, html, isOpen, isDemo, model } = ended.replies[reply];
  assert.deepEqual([text, html, isOpen, isDemo, model], ["A circle.", "<p>A circle.</p>", false, true, "demo"]);
});

test("an error ends the reply and keeps its text", () => {
  const failure = { type: "error", reply, code: "out_of_memory", content: "Too large." };
  const { isOpen, error, text } = play(following(), partial(0, "A"), failure).replies[reply];
  assert.deepEqual([isOpen, error, text], [false, "Too large.", "A"]);
});

test("text that a reload shows already goes on from its end", () => {
  const state = play(following({ text: "A red" }), partial(0, "A red ci"), partial(8, "rcle"));
  assert.equal(state.replies[reply].text, "A red circle");
});

// What a bad network does: frames are lost, doubled, swapped and cut anew; `resume` is answered.
for (let seed = 1; seed <= 300; seed += 1) {
  test(`the text is always a prefix and in the end whole (seed ${seed})`, () => {
    const random = seeded(seed);
    const alphabet = [..."ab 星é🟥\n"];
    const length = 1 + Math.floor(random() * 60);
    const whole = Array.from({ length }, () => alphabet[Math.floor(random() * alphabet.length)]).join("");
    const cut = (from, to) => partial(from, [...whole].slice(from, to).join(""));
    const frames = [];
    for (let at = 0; at < length; ) {
      const end = Math.min(length, at + 1 + Math.floor(random() * 7));
      frames.push(cut(Math.max(0, at - Math.floor(random() * 3)), end));
      at = end;
    }
    for (let i = frames.length - 1; i >= 0; i -= 1) {
      const fate = random();
      if (fate < 0.15) frames.splice(i, 1);
      else if (fate < 0.3) frames.splice(i, 0, frames[i]);
      else if (fate < 0.45 && i > 0) [frames[i - 1], frames[i]] = [frames[i], frames[i - 1]];
    }
    let state = following();
    for (const frame of frames) {
      const before = state.replies[reply];
      state = rules.reduce(state, frame, 0);
      const now = state.replies[reply];
      assert.ok(whole.startsWith(now.text));
      assert.ok(now.length >= before.length);
      assert.equal(now.length, countCodePoints(now.text));
      if (now.hasGap && random() < 0.7) state = rules.reduce(state, cut(now.length, length), 0);
    }
    const last = state.replies[reply].length;
    state = rules.reduce(state, partial(last, dropCodePoints(whole, last)), 0);
    assert.equal(state.replies[reply].text, whole);
  });
}

test("an accepted question starts its reply once", () => {
  const asked = rules.markQuestion(rules.addQuestion(rules.emptyState(), turn), "q-1", "sent");
  const accepted = { type: "accepted", id: "q-1", conversation: "c", message: "m", reply, title: "What?" };
  const state = rules.reduce(asked, accepted, 0);
  assert.equal(state.conversation, "c");
  assert.equal(state.title, "What?");
  assert.equal(state.questions["q-1"].status, "accepted");
  assert.equal(state.replies[reply].imageCount, 1);
  const ended = play(state, final("Done."));
  assert.equal(rules.reduce(ended, accepted, 0), ended);
});

test("a question asked in place of another is drawn by the server, with its versions", () => {
  const edit = { ...turn, conversation: "c", edits: "m-0" };
  const asked = rules.markQuestion(rules.addQuestion(rules.emptyState("c"), edit), "q-1", "sent");
  const state = rules.reduce(asked, { type: "accepted", id: "q-1", conversation: "c", message: "m", reply, title: "T" }, 0);
  assert.deepEqual(rules.turnToLoad(state), { message: "m", reply });
  assert.deepEqual(state.replies, {});
});

test("an answer that has ended is gone on with where somebody asked for it", () => {
  const ended = play(following(), final("So far"));
  const accepted = { type: "accepted", conversation: "c", message: "m", reply, title: "T" };
  assert.equal(rules.reduce(ended, accepted, 0), ended);
  const open = rules.reduce(rules.continueReply(ended, reply), accepted, 0);
  assert.equal(open.replies[reply].isOpen, true);
  const whole = play(play(open, partial(0, "So far")), partial(6, " and on"));
  assert.equal(whole.replies[reply].text, "So far and on");
  assert.equal(rules.reduce(open, accepted, 0), open);
});

test("an answer that another tab goes on with is loaded again", () => {
  const ended = play({ ...following(), conversation: "c" }, final("So far"));
  const card = { type: "conversation", conversation: "c", title: "T", message: "m", reply };
  assert.equal(rules.turnToLoad(rules.reduce(ended, { ...card, is_generating: false }, 0)), null);
  const told = rules.reduce(ended, { ...card, is_generating: true }, 0);
  assert.deepEqual(rules.turnToLoad(told), { message: "m", reply });
});

test("a question of another conversation shows no reply here", () => {
  const asked = rules.addQuestion(rules.emptyState("here"), { ...turn, conversation: "there" });
  const state = rules.reduce(asked, { type: "accepted", id: "q-1", conversation: "there", message: "m", reply, title: "" }, 0);
  assert.deepEqual(state.replies, {});
  assert.equal(state.conversation, "here");
});

test("a refused question says why and can be sent again", () => {
  const asked = rules.addQuestion(rules.emptyState(), turn);
  const refused = rules.reduce(asked, { type: "error", id: "q-1", code: "queue_full", content: "Later." }, 0);
  assert.equal(refused.questions["q-1"].status, "refused");
  assert.equal(refused.questions["q-1"].error, "Later.");
  assert.equal(rules.markQuestion(refused, "q-1", "sent").questions["q-1"].error, "");
});

test("a turn of another tab is loaded, one's own is not", () => {
  const card = { type: "conversation", conversation: "c", title: "T", message: "m", reply };
  assert.deepEqual(rules.turnToLoad(rules.reduce(rules.emptyState("c"), card, 0)), { message: "m", reply });
  assert.equal(rules.turnToLoad(rules.reduce(following(), card, 0)), null);
});

test("a card that overtakes the acceptance of its own turn loads nothing", () => {
  const asked = rules.markQuestion(rules.addQuestion(rules.emptyState("c"), { ...turn, conversation: "c" }), "q-1", "sent");
  const early = rules.reduce(asked, { type: "conversation", conversation: "c", title: "T", message: "m", reply }, 0);
  assert.equal(rules.turnToLoad(early), null);
  const accepted = { type: "accepted", id: "q-1", conversation: "c", message: "m", reply, title: "T" };
  assert.equal(rules.turnToLoad(rules.reduce(early, accepted, 0)), null);
});

test("another conversation's card changes nothing", () => {
  const state = following();
  assert.equal(rules.reduce(state, { type: "conversation", conversation: "other", is_deleted: true }, 0), state);
});

test("the rate is measured while the answer is written", () => {
  const status = (done) => ({ type: "status", reply, stage: "decode", done, total: 100 });
  const state = play(following(), status(1), status(9), status(21));
  assert.equal(state.replies[reply].rate, 10);
});

test("frames of a reply that is not shown change nothing", () => {
  const state = rules.emptyState("c");
  assert.equal(rules.reduce(state, partial(0, "A"), 0), state);
});
