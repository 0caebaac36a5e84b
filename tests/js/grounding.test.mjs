import assert from "node:assert/strict";
import { test } from "node:test";

import {
  coordinateMode,
  coordinateSpace,
  resizedFor,
  toShares,
} from "../../chat/static/chat/js/coordinates.js";
import { GroundingParser, marksOf } from "../../chat/static/chat/js/grounding.js";
import { asCoco, asCsv, asJson } from "../../chat/static/chat/js/grounding_export.js";

const ANSWER = `There are "two" {odd} things, 5" wide:
\`\`\`json
[
  {"bbox_2d": [100, 200, 300, 400], "label": "a \\"red\\" {cat} 🐈", "sub_label": "x"},
  {"point_2d": [500.5, 10], "label": "点\\\\"}
]
\`\`\`
and Picture 2 has {"label": "inline", "bbox_2d": [9, 8, 1, 2]}; half {"bbox_2d": [1, 2, 3`;

const short = ({ kind, values, label, picture }) => ({ kind, values, label, picture });

test("boxes and points are found in fences and in prose, with their labels and pictures", () => {
  assert.deepEqual(marksOf(ANSWER).map(short), [
    { kind: "box", values: [100, 200, 300, 400], label: 'a "red" {cat} 🐈', picture: null },
    { kind: "point", values: [500.5, 10], label: "点\\", picture: null },
    { kind: "box", values: [1, 2, 9, 8], label: "inline", picture: 2 },
  ]);
  assert.deepEqual(marksOf(ANSWER)[0].extra, { sub_label: "x" });
});

test("every split of the text gives the same marks", () => {
  const whole = marksOf(ANSWER);
  for (let cut = 0; cut <= ANSWER.length; cut += 1) {
    const parser = new GroundingParser();
    parser.feed(ANSWER.slice(0, cut));
    parser.feed(ANSWER.slice(cut));
    assert.deepEqual(parser.marks, whole, `cut at ${cut}`);
  }
  const parser = new GroundingParser();
  for (const character of ANSWER) parser.feed(character);
  assert.deepEqual(parser.marks, whole);
});

test("a mark is given once, at its closing brace", () => {
  const parser = new GroundingParser();
  assert.deepEqual(parser.feed('[{"bbox_2d": [1, 2, 3, 4], "label": "cat"'), []);
  assert.equal(parser.feed("}").length, 1);
  assert.deepEqual(parser.feed(', {"bbox_2d": [1, 2'), []);
  assert.equal(parser.marks.length, 1);
});

test("a mark's place in the text is its object", () => {
  for (const mark of marksOf(ANSWER)) {
    assert.match(ANSWER.slice(mark.start, mark.end), /^\{.*_2d.*\}$/);
  }
});

test("objects within an object are found, and the one that holds them is none", () => {
  const marks = marksOf('{"objects": [{"point_2d": [1, 2]}, {"bbox_2d": [1, 2, 3, 4]}], "n": 2}');
  assert.deepEqual(marks.map(({ kind }) => kind), ["point", "box"]);
});

test("what is no mark is left alone", () => {
  for (const text of [
    '{"bbox_2d": [1, 2, 3]}',
    '{"bbox_2d": [1, 2, 3, "4"]}',
    '{"bbox_2d": null}',
    '{"point_2d": [1, 2, 3]}',
    "{'bbox_2d': [1, 2, 3, 4]}",
    "$\\frac{1}{2}$ }}}} {",
    '"bbox_2d": [1, 2, 3, 4]',
  ]) {
    assert.deepEqual(marksOf(text), [], text);
  }
});

test("a lone quote or brace in prose hides nothing of the next line", () => {
  const mark = '{"point_2d": [1, 2]}';
  assert.equal(marksOf(`a set { of 5" pipes\n${mark}`).length, 1);
  assert.equal(marksOf(`${"{".repeat(100)}${mark}`).length, 1);
});

test("a key of the object names its picture before the prose does", () => {
  const [mark] = marksOf('Picture 3: {"point_2d": [1, 2], "image": 2}');
  assert.equal(mark.picture, 2);
});

test("hostile nesting costs no more than its length", () => {
  const text = '{"bbox_2d":'.repeat(5000) + "}".repeat(5000);
  assert.deepEqual(marksOf(text), []);
});

test("the number of marks is bounded", () => {
  assert.equal(marksOf('{"point_2d": [1, 2]}'.repeat(2000)).length, 500);
});

test("the model decides what coordinates span", () => {
  assert.equal(coordinateMode("Qwen/Qwen3-VL-2B-Instruct"), "relative");
  assert.equal(coordinateMode("Qwen/Qwen2.5-VL-3B-Instruct"), "absolute");
  const relative = coordinateSpace("Qwen3-VL", { width: 640, height: 480 }, "balanced");
  assert.deepEqual(toShares([0, 500, 1000, 1200], relative), [0, 0.5, 1, 1]);
});

test("absolute coordinates count pixels of the picture as it was resized", () => {
  assert.deepEqual(resizedFor({ width: 640, height: 480 }, "balanced"), { width: 644, height: 476 });
  const large = resizedFor({ width: 4000, height: 3000 }, "fast");
  assert.deepEqual(large, { width: 504, height: 364 });
  assert.deepEqual(resizedFor({ width: 10, height: 10 }, "fast"), { width: 56, height: 56 });
  const space = coordinateSpace("Qwen2.5-VL", { width: 4000, height: 3000 }, "fast");
  assert.deepEqual(toShares([252, 182], space), [0.5, 0.5]);
});

const PICTURE = { id: "p.png", width: 200, height: 100 };
const placed = marksOf(ANSWER).map((mark) => ({ mark, shares: mark.values.map((v) => v / 1000) }));

test("marks are copied as JSON in the model's coordinates", () => {
  const objects = JSON.parse(asJson(placed));
  assert.deepEqual(objects[0].bbox_2d, [100, 200, 300, 400]);
  assert.equal(objects[0].sub_label, "x");
  assert.deepEqual(objects[1], { point_2d: [500.5, 10], label: "点\\" });
});

test("marks are copied as CSV in pixels, and no cell is a formula", () => {
  const formula = { mark: { ...placed[0].mark, label: "=1+1" }, shares: placed[0].shares };
  const lines = asCsv([placed[0], placed[1], formula], PICTURE).split("\r\n");
  assert.equal(lines[1], '"a ""red"" {cat} 🐈",box,20,20,60,40');
  assert.equal(lines[2], "点\\,point,100.1,1,,");
  assert.equal(lines[3], "'=1+1,box,20,20,60,40");
});

test("marks are copied as COCO", () => {
  const { images, annotations, categories } = JSON.parse(asCoco(placed, PICTURE));
  assert.deepEqual(images, [{ id: 1, file_name: "p.png", width: 200, height: 100 }]);
  assert.deepEqual(annotations[0].bbox, [20, 20, 40, 20]);
  assert.equal(annotations[0].area, 800);
  assert.deepEqual(annotations[1].keypoints, [100.1, 1, 2]);
  assert.deepEqual(categories.map(({ id }) => id), [1, 2, 3]);
});
