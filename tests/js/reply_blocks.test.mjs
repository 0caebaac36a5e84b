import assert from "node:assert/strict";
import { test } from "node:test";

import * as rules from "../../chat/static/chat/js/conversation_state.js";
import { openText } from "../../chat/static/chat/js/reply_blocks.js";

const TEXT = "🐟 a\n\n- b\n\nc"; // 11 code points, 12 UTF-16 units

function withReply(text = TEXT) {
  return rules.addReply(rules.emptyState("c"), "r", { text });
}

/** Add parts one after the other; give the reply. */
function after(state, ...parts) {
  return parts.reduce((before, part) => rules.addPart(before, "r", part), state).replies.r;
}

const FIRST = { offset: 0, end: 5, html: "<p>🐟 a</p>" };
const SECOND = { offset: 5, end: 10, html: "<ul>" };

test("blocks are kept with where they end, in both units", () => {
  assert.deepEqual(after(withReply(), FIRST, SECOND).blocks, [
    { end: 5, at: 6, html: "<p>🐟 a</p>" },
    { end: 10, at: 11, html: "<ul>" },
  ]);
});

test("what is behind the blocks is open", () => {
  assert.equal(openText(after(withReply())), TEXT);
  assert.equal(openText(after(withReply(), FIRST)), "- b\n\nc");
  assert.equal(openText(after(withReply(), FIRST, SECOND)), "c");
});

test("a blank line that came after its block is not shown, an indented line stays so", () => {
  const part = { offset: 0, end: 3, html: "<p>a</p>" };
  assert.equal(openText(after(withReply("a\n\n\n\n    b"), part)), "    b");
});

const UNFIT = {
  "comes twice": FIRST,
  "leaves something out": { offset: 6, end: 10, html: "<p>" },
  "is empty": { offset: 5, end: 5, html: "" },
  "reaches beyond the text that is here": { offset: 5, end: 12, html: "<p>" },
};
for (const [name, part] of Object.entries(UNFIT)) {
  test(`what ${name} changes nothing`, () => {
    const state = rules.addPart(withReply(), "r", FIRST);
    assert.equal(rules.addPart(state, "r", part), state);
  });
}

test("nothing is added to what has ended, or is not here", () => {
  const state = rules.addReply(withReply(), "ended", { text: TEXT, isOpen: false });
  for (const id of ["ended", "unknown"]) assert.equal(rules.addPart(state, id, FIRST), state);
});

test("a reply that is gone on with begins without blocks", () => {
  const state = rules.addPart(withReply(), "r", FIRST);
  const again = rules.reduce(rules.continueReply(state, "r"), { type: "accepted", reply: "r" }, 0);
  assert.deepEqual(again.replies.r.blocks, []);
});
