import assert from "node:assert/strict";
import { test } from "node:test";

import { coordinateSpace, toShares } from "../../chat/static/chat/js/coordinates.js";
import { marksOf } from "../../chat/static/chat/js/grounding.js";
import { MIDDLE_BOX, cutOf, regionBetween, regionText, shifted } from "../../chat/static/chat/js/region.js";

const PICTURE = { width: 1120, height: 560 };
const RELATIVE = coordinateSpace("Qwen/Qwen3-VL-2B-Instruct", PICTURE, "balanced");
const ABSOLUTE = coordinateSpace("Qwen/Qwen2.5-VL-3B-Instruct", PICTURE, "balanced");
const near = (shares) => shares.map((share) => Math.round(share * 1e6) / 1e6);

test("a drag in any direction is a box and a tap a point", () => {
  const [a, b] = [{ x: 0.75, y: 0.2 }, { x: 0.25, y: 0.6 }];
  const box = { kind: "box", shares: [0.25, 0.2, 0.75, 0.6] };
  assert.deepEqual(regionBetween(a, b), box);
  assert.deepEqual(regionBetween(b, a), box);
  assert.deepEqual(regionBetween(a, { x: 0.755, y: 0.201 }), { kind: "point", shares: [0.75, 0.2] });
});

test("a region is written in each model's own coordinates, with its picture where there are several", () => {
  const box = regionBetween({ x: 0.25, y: 0.25 }, { x: 0.75, y: 0.5 });
  assert.equal(regionText(box, RELATIVE, null), '{"bbox_2d": [250, 250, 750, 500]}');
  assert.equal(regionText(box, ABSOLUTE, 2), 'Picture 2: {"bbox_2d": [280, 140, 840, 280]}');
  const point = { kind: "point", shares: [0.5, 1] };
  assert.equal(regionText(point, RELATIVE, null), '{"point_2d": [500, 1000]}');
});

test("what is written is read back as the same region of the same picture", () => {
  for (const space of [RELATIVE, ABSOLUTE]) {
    const [mark] = marksOf(regionText({ kind: "box", shares: [0.1, 0.2, 0.7, 0.9] }, space, 3));
    assert.equal(mark.picture, 3);
    toShares(mark.values, space).forEach((share, i) => {
      assert.ok(Math.abs(share - [0.1, 0.2, 0.7, 0.9][i]) < 1 / 500);
    });
  }
});

test("keys move a region up to the picture's edge and resize a box", () => {
  const by = { x: 0.02, y: 0 };
  assert.deepEqual(near(shifted(MIDDLE_BOX, by, { resizes: false }).shares), [0.37, 0.35, 0.67, 0.65]);
  assert.deepEqual(near(shifted(MIDDLE_BOX, by, { resizes: true }).shares), [0.35, 0.35, 0.67, 0.65]);
  assert.deepEqual(near(shifted(MIDDLE_BOX, { x: 9, y: -9 }, { resizes: false }).shares), [0.7, 0, 1, 0.3]);
  assert.deepEqual(near(shifted(MIDDLE_BOX, { x: -9, y: 9 }, { resizes: true }).shares), [0.35, 0.35, 0.36, 1]);
  const point = { kind: "point", shares: [0.5, 0.99] };
  assert.deepEqual(near(shifted(point, { x: 0, y: 0.02 }, { resizes: true }).shares), [0.5, 1]);
});

test("around a point a quarter of the picture is cut out, within it", () => {
  assert.deepEqual(cutOf({ kind: "point", shares: [0.5, 0.5] }), [0.375, 0.375, 0.625, 0.625]);
  assert.deepEqual(cutOf({ kind: "point", shares: [0, 1] }), [0, 0.75, 0.25, 1]);
  assert.deepEqual(cutOf(MIDDLE_BOX), MIDDLE_BOX.shares);
});
