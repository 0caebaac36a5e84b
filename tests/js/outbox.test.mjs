import assert from "node:assert/strict";
import { test } from "node:test";

import { ComingOptions, Drafts, Outbox } from "../../chat/static/chat/js/outbox.js";
import { FakeStorage } from "./fakes.mjs";

const turn = (id) => ({ id, conversation: null, text: "What?", images: [] });

test("a question waits through a reload, in order", () => {
  const storage = new FakeStorage();
  const outbox = new Outbox(storage, 1);
  outbox.add(turn("a"));
  outbox.add(turn("b"));
  assert.deepEqual(new Outbox(storage, 1).list().map(({ id }) => id), ["a", "b"]);
});

test("an accepted question leaves", () => {
  const outbox = new Outbox(new FakeStorage(), 1);
  outbox.add(turn("a"));
  outbox.remove("a");
  outbox.remove("a");
  assert.deepEqual(outbox.list(), []);
});

test("another person's questions are not seen", () => {
  const storage = new FakeStorage();
  new Outbox(storage, 1).add(turn("a"));
  assert.deepEqual(new Outbox(storage, 2).list(), []);
});

for (const [name, storage] of [
  ["no storage", null],
  ["a full storage", { getItem: () => null, setItem: () => { throw new Error("full"); } }],
  ["a broken storage", { getItem: () => "{", setItem: () => {} }],
  ["a foreign value", { getItem: () => '{"a":1}', setItem: () => {} }],
]) {
  test(`with ${name} the page still works`, () => {
    const outbox = new Outbox(storage, 1);
    outbox.add(turn("a"));
    assert.ok(Array.isArray(outbox.list()));
    outbox.remove("a");
  });
}

test("each conversation has its own draft, an empty one is forgotten", () => {
  const drafts = new Drafts(new FakeStorage(), 1);
  drafts.write(null, { text: "new", images: [] });
  drafts.write("c", { text: "old", images: ["i"] });
  assert.deepEqual(drafts.read(null), { text: "new", images: [] });
  assert.deepEqual(drafts.read("c"), { text: "old", images: ["i"] });
  drafts.write("c", { text: "", images: [] });
  assert.deepEqual(drafts.read("c"), { text: "", images: [] });
});

test("options wait for the conversation that is to begin, each person's own", () => {
  const storage = new FakeStorage();
  const coming = new ComingOptions(storage, 1);
  assert.equal(coming.read(), null);
  coming.write({ seed: 7 });
  assert.deepEqual(new ComingOptions(storage, 1).read(), { seed: 7 });
  assert.equal(new ComingOptions(storage, 2).read(), null);
  coming.write(null);
  assert.equal(new ComingOptions(storage, 1).read(), null);
});

for (const stored of ["7", "[]", '"a"', "{"]) {
  test(`stored options that are none (${stored}) are none`, () => {
    assert.equal(new ComingOptions({ getItem: () => stored, setItem: () => {} }, 1).read(), null);
  });
}
