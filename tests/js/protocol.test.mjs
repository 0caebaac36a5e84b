import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as protocol from "../../chat/static/chat/js/protocol.js";

const python = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const contract = python("chat/protocol.py");
const errors = python("chat/errors.py");

test("the version and the frame limit are the server's", () => {
  assert.equal(Number(contract.match(/PROTOCOL_VERSION = (\d+)/)[1]), protocol.PROTOCOL_VERSION);
  assert.equal(protocol.MAX_FRAME_BYTES, 1024 * 1024);
  assert.match(contract, /MAX_FRAME_BYTES = 1024 \* 1024/);
});

test("the close codes are the server's", () => {
  const block = contract.match(/class CloseCode\(IntEnum\):[\s\S]*?\n\n\n/)[0];
  const codes = [...block.matchAll(/^ {4}([A-Z_]+) = (\d+)$/gm)].map(([, name, code]) => [name, Number(code)]);
  assert.deepEqual(Object.fromEntries(codes), protocol.CLOSE_CODES);
});

test("the client frames are those that the server reads", () => {
  const block = contract.match(/_READERS: [\s\S]*?\n\}/)[0];
  const types = [...block.matchAll(/^ {4}"(\w+)":/gm)].map(([, type]) => type);
  assert.deepEqual(types, protocol.CLIENT_FRAME_TYPES);
});

test("the server frames are those that the server sends", () => {
  const types = [...contract.matchAll(/type: ClassVar\[str\] = "(\w+)"/g)].map(([, type]) => type);
  assert.deepEqual(types.sort(), [...protocol.SERVER_FRAME_TYPES].sort());
});

test("the error codes are the server's", () => {
  const codes = [...errors.matchAll(/^ {4}[A-Z_]+ = "(\w+)"$/gm)].map(([, code]) => code);
  assert.deepEqual(codes, protocol.ERROR_CODES);
});

test("an id is a UUID of version 4", () => {
  const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const ids = new Set(Array.from({ length: 200 }, () => protocol.makeId()));
  assert.equal(ids.size, 200);
  for (const id of ids) assert.match(id, pattern);
  assert.equal(protocol.makeId((bytes) => bytes.fill(255)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
});

test("offsets count code points, not UTF-16 units", () => {
  assert.equal(protocol.countCodePoints("a🟥星b"), 4);
  assert.equal(protocol.dropCodePoints("a🟥星b", 2), "星b");
  assert.equal(protocol.dropCodePoints("a🟥", 9), "");
  assert.equal(protocol.countCodePoints(""), 0);
});

test("a question for a new conversation names none", () => {
  const turn = { id: "1", text: "What is this?", images: ["2"], conversation: null };
  assert.deepEqual(protocol.messageFrame(turn), {
    type: "message",
    id: "1",
    text: "What is this?",
    images: ["2"],
  });
  assert.equal(protocol.messageFrame({ ...turn, conversation: "3" }).conversation, "3");
  const { id, text, images } = turn;
  assert.deepEqual(protocol.messageFrame({ ...turn, conversation: "3", edits: "4" }), {
    type: "edit",
    id,
    message: "4",
    text,
    images,
  });
});

test("what is not a frame of the server is null", () => {
  for (const text of ["", "{", "null", "[]", '{"type":"other"}', '"info"', new ArrayBuffer(2)]) {
    assert.equal(protocol.decode(text), null);
  }
  assert.deepEqual(protocol.decode('{"type":"pong","t":1}'), { type: "pong", t: 1 });
});
