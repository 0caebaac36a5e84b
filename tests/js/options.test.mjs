import assert from "node:assert/strict";
import { test } from "node:test";

import { areSame, chosenOf, differencesOf, higherPenalty } from "../../chat/static/chat/js/options.js";

const defaults = { temperature: 0.7, top_p: 0.8, presence_penalty: 1.5, max_tokens: 1024, pixels: "balanced" };

test("what is empty, or as the server chooses anyway, is not kept", () => {
  const values = { temperature: "0.7", top_p: "0.5", seed: "", pixels: "balanced", system_prompt: " \n" };
  assert.deepEqual(chosenOf(values, defaults), { top_p: 0.5 });
});

test("numbers are kept as numbers, words as words", () => {
  const values = { temperature: "0", seed: "7", pixels: "fast", system_prompt: " Be brief. " };
  const chosen = { temperature: 0, seed: 7, pixels: "fast", system_prompt: "Be brief." };
  assert.deepEqual(chosenOf(values, defaults), chosen);
});

test("differences come in the order of the form, and a default is none", () => {
  const chosen = { seed: 0, temperature: 0.7, system_prompt: "x", pixels: "full", unknown: 1 };
  assert.deepEqual(differencesOf(chosen, defaults), [
    { name: "system_prompt", value: "x" },
    { name: "pixels", value: "full" },
    { name: "seed", value: 0 },
  ]);
  assert.deepEqual(differencesOf({ system_prompt: "" }, defaults), []);
});

test("a higher penalty ends at the highest", () => {
  assert.equal(higherPenalty(1.5), 2);
  assert.equal(higherPenalty(1.8), 2);
  assert.equal(higherPenalty(0), 0.5);
  assert.equal(higherPenalty(-1), 0.5);
  assert.equal(higherPenalty(2), null);
});

test("two choices are the same whatever their order", () => {
  assert.ok(areSame({ seed: 1, top_p: 0.5 }, { top_p: 0.5, seed: 1 }));
  assert.ok(!areSame({ seed: 1 }, {}));
});
