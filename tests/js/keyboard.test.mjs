import assert from "node:assert/strict";
import { test } from "node:test";

import { seenHeight } from "../../chat/static/chat/js/keyboard.js";

for (const [name, seen, height] of [
  ["nothing covers the page", { height: 740, scale: 1 }, null],
  ["a keyboard covers it", { height: 402.6, scale: 1 }, 402],
  ["a bar of the browser covers it", { height: 680, scale: 1 }, null],
  ["it is enlarged", { height: 370, scale: 2 }, null],
  ["a keyboard covers it, scaled by a hair", { height: 402, scale: 1.004 }, 402],
]) {
  test(`where ${name} the page is ${height ?? "as"} high${height === null ? " as the window" : ""}`, () => {
    assert.equal(seenHeight(seen, 740), height);
  });
}
