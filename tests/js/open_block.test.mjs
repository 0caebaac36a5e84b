import assert from "node:assert/strict";
import { test } from "node:test";

import { OpenBlock } from "../../chat/static/chat/js/open_block.js";

const ENDED = {
  "a paragraph and a blank line": "a\n\n",
  "a heading": "# a\n",
  "a rule": "---\n",
  "a paragraph before a list": "a\n- b\n",
  "a paragraph before code": "a\n```\n",
  "code with its end": "```py\na\n```\n",
  "code with a longer end": "~~~\na\n~~~~ \n",
  "a list before a paragraph": "- a\n\nb\n",
  "a long list before a paragraph": "1. a\n\n   b\n\n2. c\n\nd\n",
  "a list before a heading": "- a\n# b\n",
  "a list before a word": "- a\n\nb",
  "a list before a word in bold": "- a\n\n**圆",
  "a table and a blank line": "a|b\n-|-\nc|d\n\n",
};
const OPEN = {
  nothing: "",
  "blank lines": "\n\n",
  "a line": "# a",
  "a paragraph": "a\nb\n",
  "code": "```\na\n\n# b\n\n",
  "code with a shorter end": "````\na\n```\n",
  "code with another end": "```\na\n~~~\n```x\n",
  "a list": "- a\n- b\n\n- c\n\n  d\n\n",
  "a list of steps with code": "1. a\n\n   ```\n   # b\n   ```\n\n2. c\n",
  "a list with a long line": "- a\nb\n\n",
  "a list with a line that begins": "- a\n\n**",
  "a list with a word below": "- a\n\n  b",
  "a table": "a|b\n-|-\nc|d\n",
};

/** What is guessed of a text that comes in pieces. */
function guess(text, pieceChars) {
  const block = new OpenBlock();
  for (let at = 0; at < text.length; at += pieceChars) block.read(text.slice(at, at + pieceChars));
  return block.hasEnded;
}

for (const [texts, hasEnded] of [[ENDED, true], [OPEN, false]]) {
  for (const [name, text] of Object.entries(texts)) {
    test(`${name}: ${hasEnded ? "a block has ended" : "nothing has ended"}, however it came`, () => {
      for (const size of [1, 2, 3, 100]) assert.equal(guess(text, size), hasEnded, String(size));
    });
  }
}

test("what has ended is not forgotten", () => {
  const block = new OpenBlock();
  block.read("a\n\n");
  block.read("b");
  assert.equal(block.hasEnded, true);
});
