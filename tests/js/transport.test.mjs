import assert from "node:assert/strict";
import { test } from "node:test";

import { LOOK_EVERY_MS } from "../../chat/static/chat/js/http_transport.js";
import { FALLBACK_AFTER_MS, Transport } from "../../chat/static/chat/js/transport.js";
import { FakeClock, fakeEventSources, fakeServer, fakeWebSockets, settled } from "./fakes.mjs";

const INFO = { content: "scripted answers.", model: "scripted" };
const KEPT = { id: "q1", conversation: "c1", message: "m1", reply: "r1", title: "Hello" };

function setUp({ isBlocked = false } = {}) {
  const all = {
    clock: new FakeClock(),
    sockets: fakeWebSockets(),
    streams: fakeEventSources(),
    server: fakeServer({
      "GET /api/info/": INFO,
      "POST /api/conversations/": KEPT,
      "GET /api/conversations/c1/": { title: "Hello", unread: true, reply: "r1", message: "m1" },
    }),
    memory: { isBlocked },
    frames: [],
    states: [],
  };
  all.transport = new Transport({
    url: "ws://chat/",
    api: "/api/",
    WebSocket: all.sockets.FakeWebSocket,
    EventSource: all.streams.FakeEventSource,
    fetch: all.server.fetch,
    clock: all.clock,
    random: () => 1,
    memory: all.memory,
    csrfToken: () => "token",
    onFrame: (frame) => all.frames.push(frame),
    onState: (state) => all.states.push(state),
  });
  all.transport.start();
  return all;
}

async function onHttp(options) {
  const all = setUp(options);
  all.clock.advance(FALLBACK_AFTER_MS);
  await settled();
  return all;
}

function ask(transport) {
  return transport.send({ type: "message", id: "q1", text: "Hello", images: [] });
}

test("a socket that speaks is used, and nothing else is asked", async () => {
  const { clock, sockets, server, states, frames } = setUp();
  sockets.last().receive({ type: "info", ...INFO });
  clock.advance(FALLBACK_AFTER_MS);
  await settled();
  assert.deepEqual(states, ["connecting", "connected"]);
  assert.deepEqual(frames, [{ type: "info", ...INFO }]);
  assert.deepEqual(server.calls, []);
});

for (const [name, block] of Object.entries({
  refused: (sockets) => sockets.last().drop(),
  swallowed: (sockets) => sockets.last().open(),
})) {
  test(`when sockets are ${name}, HTTP speaks after a moment`, async () => {
    const { clock, sockets, states, frames, transport } = setUp();
    block(sockets);
    clock.advance(FALLBACK_AFTER_MS);
    await settled();
    assert.equal(states.at(-1), "connected");
    assert.deepEqual(frames, [{ type: "info", ...INFO }]);
    assert.equal(ask(transport), true);
  });
}

test("the next page of this tab does not wait to find out", async () => {
  const { states } = setUp({ isBlocked: true });
  await settled();
  assert.deepEqual(states, ["connecting", "connected"]);
});

test("a question is posted, accepted, and its answer read as events", async () => {
  const { transport, server, streams, frames } = await onHttp();
  ask(transport);
  await settled();
  const stream = streams.last();
  stream.emit("partial", { type: "partial", reply: "r1", offset: 0, content: "Hel" });
  stream.emit("final", { type: "final", reply: "r1", content: "Hello" });
  const post = server.calls.find(({ method }) => method === "POST");
  assert.equal(post.body.text, "Hello");
  assert.equal(post.headers["X-CSRFToken"], "token");
  assert.equal(stream.url, "/api/replies/r1/events/?offset=0");
  assert.deepEqual(
    frames.slice(1).map(({ type }) => type),
    ["accepted", "conversation", "partial", "final"],
  );
  assert.equal(stream.isClosed, true); // or the browser would ask for the end again and again
});

test("a refusal is told as the socket tells it", async () => {
  const { transport, server, frames } = await onHttp();
  server.refuse("POST /api/conversations/", 503, { code: "queue_full", message: "Later." }, "10");
  ask(transport);
  await settled();
  assert.deepEqual(frames.at(-1), {
    type: "error",
    code: "queue_full",
    content: "Later.",
    id: "q1",
    retry_after_s: 10,
  });
});

test("stopping is posted with what was seen", async () => {
  const { transport, server } = await onHttp();
  server.answers["POST /api/replies/r1/stop/"] = {};
  transport.send({ type: "stop", reply: "r1", seen: 4 });
  await settled();
  assert.deepEqual(server.calls.at(-1).body, { seen: 4 });
});

test("an open conversation is looked at again and again", async () => {
  const { clock, transport, server, frames } = await onHttp();
  transport.send({ type: "open", conversation: "c1" });
  await settled();
  delete server.answers["GET /api/conversations/c1/"]; // deleted elsewhere
  clock.advance(LOOK_EVERY_MS);
  await settled();
  assert.deepEqual(frames.slice(1), [
    { type: "conversation", conversation: "c1", title: "Hello", is_unread: true, reply: "r1", message: "m1" },
    { type: "conversation", conversation: "c1", is_deleted: true },
  ]);
});

test("a socket that speaks again takes over, and is told what is followed", async () => {
  const { clock, sockets, streams, transport, states, memory } = await onHttp();
  transport.send({ type: "resume", reply: "r1", offset: 3 });
  clock.advance(30_000);
  sockets.last().receive({ type: "info" });
  assert.equal(states.at(-1), "connected");
  assert.equal(states.filter((state) => state === "connected").length, 2);
  assert.equal(streams.last().isClosed, true);
  assert.equal(memory.isBlocked, false);
  transport.send({ type: "ping" });
  assert.deepEqual(sockets.last().sent, [{ type: "ping" }]);
});

test("while nothing answers, both ways are tried again", async () => {
  const { clock, sockets, server, states } = setUp();
  server.isAway = true;
  sockets.last().drop();
  for (let i = 0; i < 5; i += 1) {
    clock.advance(FALLBACK_AFTER_MS);
    await settled();
  }
  assert.equal(states.at(-1), "reconnecting");
  assert.equal(server.calls.length, 5);
  server.isAway = false;
  clock.advance(FALLBACK_AFTER_MS);
  await settled();
  assert.equal(states.at(-1), "connected");
});

test("a post that does not come through leaves the question waiting", async () => {
  const { transport, server, states, clock } = await onHttp();
  server.isAway = true;
  ask(transport);
  await settled();
  assert.equal(states.at(-1), "reconnecting");
  assert.equal(ask(transport), false);
  server.isAway = false;
  clock.advance(FALLBACK_AFTER_MS);
  await settled();
  assert.equal(states.at(-1), "connected");
});

test("a stream that the browser gives up is a lost connection, one that it retries is not", async () => {
  const { transport, streams, states } = await onHttp();
  transport.send({ type: "resume", reply: "r1", offset: 0 });
  streams.last().fail({ isOver: false });
  assert.equal(states.at(-1), "connected");
  streams.last().fail({ isOver: true });
  assert.equal(states.at(-1), "reconnecting");
});

test("signed out is the end on every way", async () => {
  for (const signOut of [
    ({ server, transport }) => {
      server.refuse("POST /api/conversations/", 401, { code: "unauthenticated", message: "Out." });
      ask(transport);
    },
    ({ streams, transport }) => {
      transport.send({ type: "resume", reply: "r1", offset: 0 });
      streams.last().emit("error", { type: "error", code: "unauthenticated" });
    },
  ]) {
    const all = await onHttp();
    signOut(all);
    await settled();
    assert.equal(all.states.at(-1), "signed-out");
    assert.equal(all.clock.pending, 0);
    assert.equal(ask(all.transport), false);
  }
});

test("stopping leaves no timer, no stream and no socket", async () => {
  const { clock, transport, streams, sockets, states } = await onHttp();
  transport.send({ type: "resume", reply: "r1", offset: 0 });
  transport.stop();
  assert.equal(clock.pending, 0);
  assert.equal(streams.last().isClosed, true);
  assert.equal(sockets.last().isClosed, true);
  assert.equal(states.at(-1), "closed");
});

test("other versions are asked for where they hang", async () => {
  const { transport, server } = await onHttp();
  transport.send({ type: "edit", id: "q2", message: "m1", text: "Else", images: [] });
  transport.send({ type: "regenerate", reply: "r1" });
  transport.send({ type: "continue", reply: "r2" });
  await settled();
  const paths = server.calls.map(({ method, url }) => `${method} ${url}`);
  assert.ok(paths.includes("POST /api/messages/m1/edit/"));
  assert.ok(paths.includes("POST /api/replies/r1/regenerate/"));
  assert.ok(paths.includes("POST /api/replies/r2/continue/"));
});
