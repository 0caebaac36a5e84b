import assert from "node:assert/strict";
import { test } from "node:test";

import { describeRun } from "../../chat/static/chat/js/run_bar.js";

const run = (state, pages, document = "d") => ({
  name: "report.pdf",
  state,
  document,
  pages: pages.map((page, index) => ({ number: index + 1, state: page })),
});
const words = {
  texts: {
    run_page: "page {number} of {total}",
    run_done: "{count} of {total}",
    run_stopped: "stopped after {count} of {total}",
    run_failed: "failed: {count}",
  },
};

test.before(async () => {
  const { setTexts } = await import("../../chat/static/chat/js/texts.js");
  setTexts(words.texts, "en");
});

for (const [name, given, text, share, isRunning, canGoOn] of [
  ["at its first page", run("running", ["running", "waiting"]), "page 1 of 2", 0, true, false],
  ["at its last", run("running", ["done", "running"]), "page 2 of 2", 0.5, true, false],
  [
    "with a failure",
    run("running", ["failed", "running", "waiting", "waiting"]),
    "page 2 of 4 failed: 1",
    0.25,
    true,
    false,
  ],
  ["done", run("done", ["done", "done"]), "2 of 2", 1, false, false],
  ["done but for one", run("done", ["done", "failed"]), "2 of 2 failed: 1", 1, false, true],
  ["stopped", run("stopped", ["done", "stopped"]), "stopped after 1 of 2", 0.5, false, true],
  [
    "stopped without its PDF",
    run("stopped", ["done", "waiting"], null),
    "stopped after 1 of 2",
    0.5,
    false,
    false,
  ],
]) {
  test(`a run ${name}`, () => {
    assert.deepEqual(describeRun(given), { text, share, isRunning, canGoOn });
  });
}
