/**
 * Questions that the server has not accepted yet, and drafts: both outlive the page.
 * Owns two keys of the storage for each person; knows no page. A storage that refuses (full,
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

const KEPT_TURNS = 20;
const KEPT_DRAFTS = 50;

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
    this.#stored = new StoredValue(storage, `vl.outbox.${user}`, []);
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

/** @typedef {{text: string, images: string[]}} Draft */

export class Drafts {
  #stored;

  /** @param {Storage | null} storage @param {string | number} user */
  constructor(storage, user) {
    this.#stored = new StoredValue(storage, `vl.drafts.${user}`, {});
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
