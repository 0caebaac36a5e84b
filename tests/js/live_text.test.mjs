import assert from "node:assert/strict";
import { test } from "node:test";

import { CHUNK_CHARS, cut } from "../../chat/static/chat/js/live_text.js";

const line = `${"x".repeat(99)}\n`;

/** Feed a text in pieces, as it comes. */
function chunksOf(text, pieceChars) {
  const chunks = [""];
  for (let at = 0; at < text.length; at += pieceChars) {
    const [more, ...next] = cut(chunks.at(-1), text.slice(at, at + pieceChars));
    chunks.push(chunks.pop() + more, ...next);
  }
  return chunks;
}

test("the chunks are the text to the letter, and the same however it came", () => {
  const text = line.repeat(35) + "an open end";
  const whole = chunksOf(text, text.length);
  assert.equal(whole.join(""), text);
  assert.deepEqual(whole.map((chunk) => chunk.length), [1000, 1000, 1000, 511]);
  for (const size of [1, 7, 100, 1001]) assert.deepEqual(chunksOf(text, size), whole);
});

test("a chunk ends behind a line end alone", () => {
  const long = "word ".repeat(1000);
  assert.deepEqual(chunksOf(long, 20), [long]);
  assert.deepEqual(chunksOf(`${long}\n\nnext`, 20), [`${long}\n`, "\nnext"]);
});

test("the last chunk has the end: a full one stays last until there is more", () => {
  const full = line.repeat(CHUNK_CHARS / 100);
  assert.deepEqual(cut("", full), [full]);
  assert.deepEqual(cut(full, ""), [""]);
  assert.deepEqual(cut(full, "a"), ["", "a"]);
});
