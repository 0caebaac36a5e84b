import assert from "node:assert/strict";
import { test } from "node:test";

import { ChatSocket, PING_EVERY_MS, PONG_WITHIN_MS } from "../../chat/static/chat/js/socket.js";
import { FakeClock, fakeWebSockets } from "./fakes.mjs";

function setUp({ random = () => 0.5 } = {}) {
  const clock = new FakeClock();
  const sockets = fakeWebSockets();
  const frames = [];
  const states = [];
  const socket = new ChatSocket({
    url: "ws://chat/",
    WebSocket: sockets.FakeWebSocket,
    clock,
    random,
    onFrame: (frame) => frames.push(frame),
    onState: (state) => states.push(state),
  });
  return { clock, sockets, frames, states, socket };
}

function connected(options) {
  const all = setUp(options);
  all.socket.start();
  all.sockets.last().receive({ type: "pong" });
  return all;
}

test("it connects and hands frames on, but not pongs", () => {
  const { sockets, frames, states } = connected();
  sockets.last().receive({ type: "info", content: "hello" });
  sockets.last().receive({ type: "pong", t: 1 });
  assert.deepEqual(frames, [{ type: "info", content: "hello" }]);
  assert.deepEqual(states, ["connecting", "connected"]);
});

test("a frame leaves only while connected", () => {
  const { socket, sockets } = setUp();
  socket.start();
  assert.equal(socket.send({ type: "ping" }), false);
  sockets.last().receive({ type: "pong" });
  assert.equal(socket.send({ type: "ping" }), true);
  assert.deepEqual(sockets.last().sent, [{ type: "ping" }]);
});

test("a silent connection is given up after an unanswered ping", () => {
  const { clock, sockets, states } = connected();
  clock.advance(PING_EVERY_MS);
  assert.equal(sockets.last().sent[0].type, "ping");
  clock.advance(PONG_WITHIN_MS);
  assert.equal(states.at(-1), "reconnecting");
  assert.equal(sockets.made[0].isClosed, true);
});

test("any frame after the ping keeps the connection", () => {
  const { clock, sockets, states } = connected();
  clock.advance(PING_EVERY_MS);
  sockets.last().receive({ type: "pong", t: 0 });
  clock.advance(PONG_WITHIN_MS + PING_EVERY_MS);
  assert.equal(states.at(-1), "connected");
  assert.equal(sockets.last().sent.length, 2);
});

test("waits double up to half a minute and begin anew after a frame", () => {
  const { clock, sockets } = connected({ random: () => 1 });
  const waits = [];
  for (let i = 0; i < 9; i += 1) {
    const count = sockets.made.length;
    sockets.last().drop();
    const from = clock.now();
    while (sockets.made.length === count) clock.advance(100);
    waits.push(clock.now() - from);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  sockets.last().receive({ type: "info" });
  const count = sockets.made.length;
  sockets.last().drop();
  clock.advance(500);
  assert.equal(sockets.made.length, count + 1);
});

test("the wait is jittered between half and whole", () => {
  const { clock, sockets } = connected({ random: () => 0 });
  sockets.last().drop(1012);
  clock.advance(249);
  assert.equal(sockets.made.length, 1);
  clock.advance(1);
  assert.equal(sockets.made.length, 2);
});

test("signed out is the end until the page is loaded again", () => {
  const { clock, sockets, states, socket } = connected();
  sockets.last().drop(4401);
  socket.wake();
  socket.setOnline(true);
  clock.advance(120_000);
  assert.equal(states.at(-1), "signed-out");
  assert.equal(sockets.made.length, 1);
  assert.equal(clock.pending, 0);
});

test("flooding waits longer", () => {
  const { clock, sockets } = connected({ random: () => 0 });
  sockets.last().drop(4429);
  clock.advance(14_900);
  assert.equal(sockets.made.length, 1);
  clock.advance(200);
  assert.equal(sockets.made.length, 2);
});

test("offline is shown, and the network's return connects at once", () => {
  const { sockets, states, socket } = connected();
  socket.setOnline(false);
  assert.equal(states.at(-1), "offline");
  socket.setOnline(true);
  assert.equal(sockets.made.length, 2);
  sockets.last().receive({ type: "pong" });
  assert.equal(states.at(-1), "connected");
});

test("coming back to the page shortens the wait", () => {
  const { clock, sockets, socket } = connected({ random: () => 1 });
  for (let i = 0; i < 6; i += 1) {
    sockets.last().drop();
    clock.advance(30_000);
  }
  sockets.last().drop();
  const count = sockets.made.length;
  socket.wake();
  assert.equal(sockets.made.length, count + 1);
});

test("a connection on which nothing comes was never one", () => {
  const { clock, sockets, states, socket } = setUp();
  socket.start();
  sockets.last().open();
  assert.equal(socket.send({ type: "ping" }), false);
  clock.advance(15_000);
  assert.deepEqual(states, ["connecting", "reconnecting"]);
  assert.equal(sockets.made[0].isClosed, true);
});

test("an attempt that never answers is given up", () => {
  const { clock, sockets, socket } = setUp();
  socket.start();
  clock.advance(15_000);
  assert.equal(sockets.made[0].isClosed, true);
  clock.advance(1000);
  assert.equal(sockets.made.length, 2);
});

test("stopping leaves no timer and no socket", () => {
  const { clock, sockets, socket, states } = connected();
  socket.stop();
  assert.equal(clock.pending, 0);
  assert.equal(sockets.last().isClosed, true);
  assert.equal(states.at(-1), "closed");
});

test("the old socket's late events are not heard", () => {
  const { sockets, frames, socket } = connected();
  const [old] = sockets.made;
  socket.setOnline(false);
  old.receive({ type: "info" });
  assert.deepEqual(frames, []);
});
