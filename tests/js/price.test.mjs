import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { obstacleOf, priceWords, sumOf } from "../../chat/static/chat/js/price.js";
import { setTexts } from "../../chat/static/chat/js/texts.js";

const tokens = { fast: 256, balanced: 1000, detail: 2000, full: 9000 };
const seconds = { fast: 1, balanced: 4, detail: 8, full: 36 };
const known = { tokens, seconds };
const options = { pixels: "detail", max_tokens: 1024 };

beforeEach(() =>
  setTexts(
    {
      price_tokens: "{count} tokens",
      price_moment: "a moment",
      price_seconds: "{seconds} s",
      price_minutes: "{minutes} min",
      context_full: "{needed} > {room}",
      context_full_detail: "{needed} > {room}: {detail}",
      pixels_fast: "Fast",
      pixels_balanced: "Balanced",
    },
    "en",
  ),
);

test("prices add up at the chosen detail", () => {
  assert.deepEqual(sumOf([known, known], "balanced"), { tokens: 2000, seconds: 8 });
  assert.equal(sumOf([], "balanced"), null);
});

test("a time that is not known of one is not known of all", () => {
  assert.deepEqual(sumOf([known, { tokens, seconds: null }, known], "fast"), { tokens: 768, seconds: null });
});

test("a price is told in words", () => {
  const words = (time) => priceWords({ tokens: 1500, seconds: time });
  assert.deepEqual(words(null), ["1,500 tokens"]);
  assert.deepEqual(words(0.4), ["1,500 tokens", "a moment"]);
  assert.deepEqual(words(4.4), ["1,500 tokens", "4 s"]);
  assert.deepEqual(words(89), ["1,500 tokens", "89 s"]);
  assert.deepEqual(words(150), ["1,500 tokens", "3 min"]);
});

const obstacle = (count, more = {}) =>
  obstacleOf({ pictures: Array(count).fill(known), text: "", options, contextTokens: 8192, ...more });

test("what fits is no matter", () => {
  assert.equal(obstacle(0), "");
  assert.equal(obstacle(3), "");
});

test("what does not fit is told with the highest lower detail that does", () => {
  assert.equal(obstacle(4), "8,040 > 7,168: Balanced");
  assert.equal(obstacle(8), "16,072 > 7,168: Fast");
});

test("where no detail helps there are too many pictures, or the text is too long", () => {
  assert.equal(obstacle(30), "60,248 > 7,168");
  assert.match(obstacle(0, { text: "字".repeat(10000) }), /^8,008 > 7,168$/);
  assert.match(obstacle(0, { options: { ...options, system_prompt: "x".repeat(35000) } }), /^10,016/);
});

test("half of the context stays for the question, however long an answer was asked for", () => {
  assert.equal(obstacle(2, { options: { ...options, max_tokens: 8000 } }), "");
  assert.equal(obstacle(2, { options: { ...options, max_tokens: 8000 }, contextTokens: 4096 }), "4,024 > 2,048: Balanced");
});
