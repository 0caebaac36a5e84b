import assert from "node:assert/strict";
import { test } from "node:test";

import { formatPages, parsePages } from "../../chat/static/chat/js/page_range.js";

for (const [text, pages] of [
  ["", []],
  ["  ", []],
  ["3", [3]],
  ["1-3, 7", [1, 2, 3, 7]],
  ["7, 1 - 3", [1, 2, 3, 7]],
  ["2,2,1-2", [1, 2]],
  ["8-", [8, 9]],
  ["-2", [1, 2]],
  ["1–2，4、6；9", [1, 2, 4, 6, 9]],
  ["1 3 5", [1, 3, 5]],
  ["0", null],
  ["10", null],
  ["3-1", null],
  ["-", null],
  ["a", null],
  ["1-2-3", null],
  ["1,x", null],
  ["99999999999999999999", null],
]) {
  test(`“${text}” of nine pages`, () => assert.deepEqual(parsePages(text, 9), pages));
}

for (const [pages, text] of [
  [[], ""],
  [[4], "4"],
  [[1, 2], "1-2"],
  [[7, 3, 1, 2, 2], "1-3, 7"],
]) {
  test(`${JSON.stringify(pages)} as text`, () => assert.equal(formatPages(pages), text));
}

test("what is written is read back", () => {
  for (let choice = 0; choice < 2 ** 9; choice += 1) {
    const pages = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((page) => choice & (1 << (page - 1)));
    assert.deepEqual(parsePages(formatPages(pages), 9), pages);
  }
});
