/**
 * Many small writes, one disk flush: what is asked for while a transaction runs goes together into the next.
 *
 * Each caller's promise resolves when the transaction that held its write is durable.
 */
import type { Db, Store } from "./port.ts";

type Write = {
  readonly work: (t: Db) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
};

const LARGEST_GROUP = 256;

export class GroupCommit {
  readonly #store: Store;
  readonly #waiting: Write[] = [];
  #busy = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** A write that fails fails the whole group, and every caller in it: nothing of it was kept. */
  add<T>(work: (t: Db) => Promise<T>): Promise<T> {
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      if (!this.#busy) void this.#commit();
    }) as Promise<T>;
  }

  /** Cannot reject. */
  async #commit(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, LARGEST_GROUP);
      try {
        const results = await this.#store.transaction(async (t) => {
          const values: unknown[] = [];
          for (const { work } of group) values.push(await work(t));
          return values;
        });
        for (const [at, { resolve }] of group.entries()) resolve(results[at]);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#busy = false;
  }
}
