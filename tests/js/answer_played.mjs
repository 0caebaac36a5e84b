// Plays the page's side of an answer being written, for tests/browser/block_cost.py: prints which part
// is asked for, as a line of JSON, and reads what it is answered, until the text has ended.

import { createInterface } from "node:readline";

import { BlockLoader } from "../../chat/static/chat/js/block_loader.js";
import * as rules from "../../chat/static/chat/js/conversation_state.js";
import { FakeClock, settled } from "./fakes.mjs";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const tell = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const { text, piece_chars: pieceChars, piece_ms: pieceMs } = await read();
const clock = new FakeClock();
let state = rules.addReply(rules.emptyState("c"), "r");
let answering = Promise.resolve();
const loader = new BlockLoader({
  clock,
  load: (_id, offset, until) => {
    tell({ offset, until });
    const answer = read();
    answering = answer;
    return answer;
  },
  onPart: (id, part) => update(rules.addPart(state, id, part)),
});

function update(next) {
  state = next;
  loader.look(state.replies.r);
}

for (let offset = 0; offset < text.length; offset += pieceChars) {
  const content = text.slice(offset, offset + pieceChars);
  update(rules.reduce(state, { type: "partial", reply: "r", offset, content }, clock.now()));
  clock.advance(pieceMs);
  await answering;
  await settled();
}
tell(null);
process.stdin.destroy();
