/**
 * Questions that the server has not accepted yet, drafts, and the options chosen for a conversation
 * that is still to begin: all outlive the page.
 * Owns three keys of the storage for each person; knows no page. A storage that refuses (full,
 * forbidden) costs the survival of a reload and nothing else.
 */

/** @typedef {import("./protocol.js").Turn} Turn */

/** @returns {Storage | null} null where the browser forbids it */
export function openStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}

/** Forget all of it, whoever's: who signs out may leave a computer that others use. @param {Storage | null} storage */
export function forgetUnsent(storage) {
  const kept = Object.keys(storage ?? {}).filter((key) => KEYS.some((start) => key.startsWith(start)));
  for (const key of kept) storage?.removeItem(key);
}

const KEPT_TURNS = 20;
const KEPT_DRAFTS = 50;
const [OUTBOX, DRAFTS, OPTIONS] = ["vl.outbox.", "vl.drafts.", "vl.options."];
const KEYS = [OUTBOX, DRAFTS, OPTIONS];

class StoredValue {
  #storage;
  #key;
  /** @type {any} */
  #fallback;

  /** @param {Storage | null} storage @param {string} key @param {any} empty */
  constructor(storage, key, empty) {
    this.#storage = storage;
    this.#key = key;
    this.#fallback = empty;
  }

  read() {
    try {
      const value = JSON.parse(this.#storage?.getItem(this.#key) ?? "null");
      return value ?? this.#fallback;
    } catch {
      return this.#fallback;
    }
  }

  /** @param {any} value */
  write(value) {
    this.#fallback = value;
    try {
      this.#storage?.setItem(this.#key, JSON.stringify(value));
    } catch {
      // The value lives on in this page.
    }
  }
}

export class Outbox {
  #stored;

  /**
   * @param {Storage | null} storage
   * @param {string | number} user whose questions these are: another person's are never sent
   */
  constructor(storage, user) {
    this.#stored = new StoredValue(storage, `${OUTBOX}${user}`, []);
  }

  /** @returns {Turn[]} oldest first */
  list() {
    const turns = this.#stored.read();
    return Array.isArray(turns) ? turns : [];
  }

  /** @param {Turn} turn */
  add(turn) {
    this.#stored.write([...this.list(), turn].slice(-KEPT_TURNS));
  }

  /** @param {string} id */
  remove(id) {
    const turns = this.list();
    if (turns.some((turn) => turn.id === id)) {
      this.#stored.write(turns.filter((turn) => turn.id !== id));
    }
  }
}

/**
 * @typedef {{text: string, images: string[], names?: Record<string, string>}} Draft `names` are what
 *   its pictures are called, by their ids
 */

export class Drafts {
  #stored;

  /** @param {Storage | null} storage @param {string | number} user */
  constructor(storage, user) {
    this.#stored = new StoredValue(storage, `${DRAFTS}${user}`, {});
  }

  /**
   * @param {string | null} conversation null for a new one
   * @returns {Draft}
   */
  read(conversation) {
    return this.#stored.read()[conversation ?? "new"] ?? { text: "", images: [] };
  }

  /** @param {string | null} conversation @param {Draft} draft */
  write(conversation, draft) {
    const { [conversation ?? "new"]: _, ...others } = this.#stored.read();
    const isEmpty = !draft.text && draft.images.length === 0;
    const drafts = isEmpty ? others : { ...others, [conversation ?? "new"]: draft };
    this.#stored.write(Object.fromEntries(Object.entries(drafts).slice(-KEPT_DRAFTS)));
  }
}

export class ComingOptions {
  #stored;

  /** @param {Storage | null} storage @param {string | number} user */
  constructor(storage, user) {
    this.#stored = new StoredValue(storage, `${OPTIONS}${user}`, null);
  }

  /** @returns {import("./protocol.js").Options | null} null where nothing was chosen */
  read() {
    const options = this.#stored.read();
    return options instanceof Object && !Array.isArray(options) ? options : null;
  }

  /** @param {import("./protocol.js").Options | null} options */
  write(options) {
    this.#stored.write(options);
  }
}
