import assert from "node:assert/strict";
import { test } from "node:test";

import { WHOLE, boundsOf, moved, shareAt, zoomed } from "../../chat/static/chat/js/view_window.js";

const PANE = { width: 1000, height: 500 };
const bounds = boundsOf({ width: 2000, height: 2000 }, PANE);

test("a large picture is fitted into the pane and a small one stays as it is", () => {
  assert.deepEqual(bounds.fit, { width: 500, height: 500 });
  assert.deepEqual(boundsOf({ width: 64, height: 32 }, PANE).fit, { width: 64, height: 32 });
});

test("single pixels of a large picture can be seen", () => {
  assert.equal(bounds.most, 16);
  assert.equal(boundsOf({ width: 64, height: 32 }, PANE).most, 8);
});

test("what is under the pointer stays there while zooming", () => {
  const point = { x: 100, y: -50 };
  const before = shareAt(WHOLE, point, bounds);
  const near = zoomed(WHOLE, 5, point, bounds);
  const after = shareAt(near, point, bounds);
  assert.ok(Math.abs(before.x - after.x) < 1e-9);
  assert.ok(Math.abs(before.y - after.y) < 1e-9);
});

test("zooming ends at the whole picture and at the largest scale", () => {
  assert.deepEqual(zoomed({ scale: 2, x: 0, y: 30 }, 0, { x: 9, y: 9 }, bounds), { scale: 1, x: 0, y: 0 });
  assert.equal(zoomed(WHOLE, 1e9, { x: 0, y: 0 }, bounds).scale, bounds.most);
});

test("a picture cannot be moved out of sight", () => {
  const near = zoomed(WHOLE, 4, { x: 0, y: 0 }, bounds); // 2000 by 2000 in 1000 by 500
  assert.deepEqual(moved(near, { x: 9e9, y: -9e9 }, bounds), { scale: 4, x: 500, y: -750 });
  assert.deepEqual(moved(WHOLE, { x: 40, y: 40 }, bounds), WHOLE);
});

test("places are shares of the picture and stay within it", () => {
  assert.deepEqual(shareAt(WHOLE, { x: 0, y: 0 }, bounds), { x: 0.5, y: 0.5 });
  assert.deepEqual(shareAt(WHOLE, { x: -250, y: 250 }, bounds), { x: 0, y: 1 });
  assert.deepEqual(shareAt(WHOLE, { x: -9e9, y: 9e9 }, bounds), { x: 0, y: 1 });
});
