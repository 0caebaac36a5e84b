// Stand-ins for the browser: a clock that moves when told, a WebSocket that does nothing itself.

/** Let everything run that waits for nothing but promises. */
export function settled() {
  return new Promise((resolve) => setTimeout(resolve));
}

export class FakeClock {
  time = 0;
  #timers = [];

  now() {
    return this.time;
  }

  setTimeout(run, ms) {
    const timer = { at: this.time + ms, run };
    this.#timers.push(timer);
    return timer;
  }

  clearTimeout(timer) {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }

  get pending() {
    return this.#timers.length;
  }

  advance(ms) {
    const end = this.time + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.clearTimeout(due);
      this.time = due.at;
      due.run();
    }
    this.time = end;
  }
}

export function fakeWebSockets() {
  const made = [];
  class FakeWebSocket {
    sent = [];
    isClosed = false;

    constructor(url) {
      this.url = url;
      made.push(this);
    }

    send(text) {
      this.sent.push(JSON.parse(text));
    }

    close() {
      this.isClosed = true;
    }

    open() {
      this.onopen?.();
    }

    receive(frame) {
      this.onmessage?.({ data: JSON.stringify(frame) });
    }

    drop(code = 1006) {
      this.onclose?.({ code });
    }
  }
  return { FakeWebSocket, made, last: () => made.at(-1) };
}

export class FakeStorage {
  #items = new Map();

  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  setItem(key, value) {
    this.#items.set(key, value);
  }
}

// A small seeded generator (mulberry32): the same seed gives the same run on every machine.
export function seeded(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function fakeEventSources() {
  const made = [];
  class FakeEventSource {
    isClosed = false;
    readyState = 1;
    #listeners = {};

    constructor(url) {
      this.url = url;
      made.push(this);
    }

    addEventListener(name, listener) {
      this.#listeners[name] = listener;
    }

    close() {
      this.isClosed = true;
    }

    emit(name, frame) {
      this.#listeners[name]({ data: JSON.stringify(frame) });
    }

    fail({ isOver }) {
      this.readyState = isOver ? 2 : 0;
      this.#listeners.error({});
    }
  }
  return { FakeEventSource, made, last: () => made.at(-1) };
}

// Answers what it was told to; anything else is missing.
export function fakeServer(answers) {
  const refusals = {};
  const server = {
    answers,
    calls: [],
    isAway: false,
    refuse(call, status, error, wait = null) {
      refusals[call] = { status, error, wait };
    },
    async fetch(url, { method, headers, body }) {
      server.calls.push({ method, url, headers, body: body && JSON.parse(body) });
      if (server.isAway) throw new TypeError("fetch failed");
      const call = `${method} ${url}`;
      const refusal = refusals[call] ?? (call in answers ? null : { status: 404, error: {}, wait: null });
      const content = refusal ? { error: refusal.error } : answers[call];
      return {
        ok: !refusal,
        status: refusal?.status ?? 200,
        headers: { get: () => refusal?.wait ?? null },
        text: async () => JSON.stringify(content),
      };
    },
  };
  return server;
}
