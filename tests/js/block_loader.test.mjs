import assert from "node:assert/strict";
import { test } from "node:test";

import { BlockLoader, GROWTH, LONGEST_PAUSE_MS, PAUSE_MS } from "../../chat/static/chat/js/block_loader.js";
import * as rules from "../../chat/static/chat/js/conversation_state.js";
import { FakeClock, settled } from "./fakes.mjs";

/** A page with one reply, and a server that answers as it is told: `answer(offset, until)`. */
function page(answer) {
  const clock = new FakeClock();
  const asked = [];
  let state = rules.addReply(rules.emptyState("c"), "r");
  const loader = new BlockLoader({
    clock,
    load: async (id, offset, until) => (asked.push([id, offset, until]), answer(offset, until)),
    onPart: (id, part) => update(rules.addPart(state, id, part)),
  });
  const update = (next) => {
    if (next === state) return;
    state = next;
    loader.look(state.replies.r);
  };
  return {
    clock,
    asked,
    reply: () => state.replies.r,
    write: (content) => update(rules.reduce(state, { type: "partial", reply: "r", offset: state.replies.r.length, content }, 0)),
    end: (content) => update(rules.reduce(state, { type: "final", reply: "r", content, html: "" }, 0)),
    pass: async (ms) => {
      clock.advance(ms);
      await settled();
    },
  };
}

/** All that is asked about is complete. */
const all = (offset, until) => ({ offset, end: until, html: "<p></p>" });
const nothing = (offset) => ({ offset, end: offset, html: "" });

test("nothing is asked while no block has ended", async () => {
  const { write, pass, asked } = page(all);
  write("a word and ");
  write("another\n");
  await pass(60_000);
  assert.deepEqual(asked, []);
});

test("an ended block is asked for at once, and what comes then by its offset", async () => {
  const { write, pass, asked, reply } = page(all);
  write("🐟\n\n");
  await pass(0);
  write("b\n\n");
  await pass(PAUSE_MS);
  assert.deepEqual(asked, [["r", 0, 3], ["r", 3, 6]]);
  assert.equal(reply().blocks.length, 2);
});

test("blocks that end quickly are asked for together", async () => {
  const { write, pass, asked } = page(all);
  for (let n = 0; n < 20; n += 1) {
    write("a\n\n");
    await pass(PAUSE_MS / 10);
  }
  await pass(PAUSE_MS);
  assert.deepEqual(asked, [["r", 0, 3], ["r", 3, 33], ["r", 33, 60]]);
});

test("one question is under way at a time", async () => {
  const answers = [];
  const { write, pass, asked } = page(() => new Promise((resolve) => answers.push(resolve)));
  write("a\n\n");
  await pass(0);
  write("b\n\n");
  await pass(60_000);
  assert.equal(asked.length, 1);
  answers[0](all(0, 3));
  await settled();
  await pass(PAUSE_MS);
  assert.deepEqual(asked.at(-1), ["r", 3, 6]);
});

test("after a wrong guess the text has to grow", async () => {
  const { write, pass, asked } = page(nothing);
  write(`${"a".repeat(98)}\n\n`);
  await pass(0);
  write("b".repeat(100 * GROWTH - 101));
  await pass(60_000);
  assert.equal(asked.length, 1);
  write("b");
  await pass(0);
  assert.deepEqual(asked.at(-1), ["r", 0, 125]);
});

test("guesses all wrong cost no more than a few times the text", async () => {
  const { write, pass, asked } = page(nothing);
  for (let n = 0; n < 1000; n += 1) {
    write("0123456789 word word\n\n");
    await pass(PAUSE_MS);
  }
  const read = asked.reduce((sum, [, , until]) => sum + until, 0);
  assert.ok(read < 6 * 22_000, String(read));
});

test("a lost answer leaves the text and is asked for again, ever more rarely", async () => {
  const { write, pass, clock, asked, reply } = page(async () => Promise.reject(new TypeError("no network")));
  write("a\n\n");
  const times = [];
  for (let n = 0; n < 200_000; n += 100) {
    await pass(100);
    if (asked.length > times.length) times.push(clock.time);
  }
  const gaps = times.slice(1).map((time, place) => time - times[place]);
  assert.deepEqual(gaps.slice(0, 4), [800, 1600, 3200, 6400]);
  assert.equal(Math.max(...gaps), LONGEST_PAUSE_MS);
  assert.deepEqual([reply().text, reply().blocks], ["a\n\n", []]);
});

test("after an answer that came the pause is short again", async () => {
  let isAway = true;
  const { write, pass, asked } = page(async (...part) => (isAway ? Promise.reject(new Error()) : all(...part)));
  write("a\n\n");
  await pass(0);
  isAway = false;
  await pass(2 * PAUSE_MS);
  write("b\n\n");
  await pass(PAUSE_MS);
  assert.deepEqual(asked, [["r", 0, 3], ["r", 0, 3], ["r", 3, 6]]);
});

test("the end stops the asking, and an answer that comes later is dropped", async () => {
  const answers = [];
  const { write, end, pass, clock, asked, reply } = page(() => new Promise((resolve) => answers.push(resolve)));
  write("a\n\n");
  await pass(0);
  end("a\n\nb");
  answers[0](all(0, 3));
  await pass(60_000);
  assert.deepEqual([asked.length, reply().blocks, clock.pending], [1, [], 0]);
});

test("the end takes a question back that waits", async () => {
  const { write, end, pass, clock, asked } = page(all);
  write("a\n\n");
  await pass(0);
  write("b\n\n");
  end("a\n\nb\n\n");
  await pass(60_000);
  assert.deepEqual([asked.length, clock.pending], [1, 0]);
});
