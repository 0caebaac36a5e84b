import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { beforeEach, test } from "node:test";

import { Announcer, finishedSentences } from "../../chat/static/chat/js/announce.js";
import { addReply, emptyState, reduce } from "../../chat/static/chat/js/conversation_state.js";
import { bannerOf, stageOf } from "../../chat/static/chat/js/stage_text.js";
import { fileSize, say, setTexts } from "../../chat/static/chat/js/texts.js";

const scripts = new URL("../../chat/static/chat/js/", import.meta.url);
const python = ["page_texts", "document_texts"]
  .map((name) => readFileSync(new URL(`../../chat/views/${name}.py`, import.meta.url), "utf8"))
  .join("");
// Keys and English texts as the server's modules hold them, their line breaks undone.
const english = Object.fromEntries(
  [...python.matchAll(/"(\w+)": _\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)/g)].map(([, key, text]) => [
    key,
    [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, part]) => part).join(""),
  ]),
);

beforeEach(() => setTexts(english, "en"));

const stage = (status) =>
  stageOf(reduce(addReply(emptyState("c"), "r", { imageCount: status.imageCount ?? 1 }),
    { type: "status", reply: "r", ...status }, 0).replies.r);

test("every text that a script asks for is sent by the server, and no other", () => {
  const asked = new Set();
  for (const name of readdirSync(scripts)) {
    const source = readFileSync(new URL(name, scripts), "utf8");
    const calls = [...source.matchAll(/\bsay\(([^()]*)/g)].map(([, inside]) => inside).join(" ");
    for (const [, key] of `${calls} ${source}`.matchAll(/"([a-z]+(?:_[a-z]+)*)"/g)) asked.add(key);
  }
  for (const [, key] of python.matchAll(/"(\w+)": _\(/g)) {
    const isComposed = /^(stage|end|option)_/.test(key) || ["signed_out"].includes(key);
    assert.ok(asked.has(key) || isComposed, `nothing asks for ${key}`);
  }
  for (const name of readdirSync(scripts)) {
    const source = readFileSync(new URL(name, scripts), "utf8");
    for (const [, key] of source.matchAll(/\bsay\("(\w+)"/g)) assert.ok(key in english, `${name}: ${key}`);
  }
});

test("the queue is told by the place in it", () => {
  assert.equal(stage({ stage: "queued", position: 2 }).text, "Place 2 in the queue");
  assert.equal(stage({ stage: "queued", position: 1 }).text, "Next in the queue");
  assert.equal(stage({ stage: "queued" }).text, "Waiting…");
});

test("a stage shows how far it is", () => {
  assert.deepEqual(stage({ stage: "loading", done: 2, total: 5 }), { text: "Loading the model… 40 %", percent: 40 });
  assert.equal(stage({ stage: "vision", done: 1, total: 4 }).text, "Reading the picture… 25 %");
  assert.equal(stage({ stage: "vision", imageCount: 2 }).text, "Reading 2 pictures…");
  assert.equal(stage({ stage: "prefill", done: 9, total: 9, eta_s: 12.4 }).text, "Thinking… 100 % · about 12 s left");
  assert.equal(stage({ stage: "decode", done: 1, total: 100 }).percent, null);
});

test("the banner says who answers and what is on its way", () => {
  const info = (demo, state) => ({ type: "info", model: "Qwen/Qwen3-VL-2B-Instruct", demo, state });
  assert.equal(bannerOf(info(false, { phase: "ready" })), null);
  assert.match(bannerOf(info(true, { phase: "ready" })).text, /^The demo model answers/);
  assert.equal(
    bannerOf(info(true, { phase: "ready", upcoming: "Qwen/Qwen3-VL-2B-Instruct", done: 34, total: 100 })).text,
    "The demo model answers. Qwen3-VL-2B-Instruct is being downloaded: 34 %",
  );
  const failed = bannerOf(info(false, { phase: "failed", message: "config.json is missing." }));
  assert.deepEqual([failed.text, failed.isWrong], ["The model is unavailable: config.json is missing.", true]);
});

test("sizes are for people", () => {
  assert.equal(fileSize(20 * 2 ** 20), "20 MB");
  assert.equal(fileSize(1.5 * 2 ** 20), "1.5 MB");
  assert.equal(fileSize(10), "1 KB");
});

test("an unknown key stands for itself and unknown names stay", () => {
  assert.equal(say("no_such_key"), "no_such_key");
  assert.equal(say("percent", {}), "{percent} %");
});

test("only whole sentences are spoken", () => {
  assert.equal(finishedSentences("A red circle. And a b", 0), "A red circle.");
  assert.equal(finishedSentences("It is 3.5 wide", 0), "");
  assert.equal(finishedSentences("有一个红色圆形。还有", 0), "有一个红色圆形。");
  assert.equal(finishedSentences("A. B. C", 2), " B.");
});

test("the announcer speaks stages and sentences once, and the end", () => {
  const region = fakeRegion();
  const announcer = new Announcer(region);
  let state = addReply(emptyState("c"), "r", { imageCount: 1 });
  announcer.hear(state.replies.r);
  const frames = [
    { type: "status", stage: "vision", done: 1, total: 9 },
    { type: "status", stage: "vision", done: 5, total: 9 },
    { type: "partial", offset: 0, content: "A circle. It" },
    { type: "partial", offset: 12, content: " is red" },
    { type: "final", content: "A circle. It is red", html: "", finish_reason: "stop" },
  ];
  for (const frame of frames) {
    state = reduce(state, { ...frame, reply: "r" }, 0);
    announcer.hear(state.replies.r);
  }
  assert.deepEqual(region.lines, [
    "Reading the picture…",
    "Writing…",
    "A circle.",
    "It is red",
    "The answer is complete.",
  ]);
});

function fakeRegion() {
  const lines = [];
  return {
    lines,
    ownerDocument: { createElement: () => ({ textContent: "" }) },
    append: (line) => lines.push(line.textContent),
    get childElementCount() {
      return 0;
    },
  };
}
