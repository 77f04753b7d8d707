/**
 * Many small writes, one transaction: what is asked for while one is written goes together into the next, which begins
 * while the first is flushed.
 *
 * Each caller's promise resolves when the transaction that held its write is durable. A write that fails is undone
 * alone, to a savepoint; the others are kept. If the transaction fails, nothing of the group was kept.
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

  /** @throws what `work` throws; LEDGER_FAILED */
  add<T>(work: (t: Db) => Promise<T>): Promise<T> {
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      if (!this.#busy) void this.#commit();
    }) as Promise<T>;
  }

  /** Cannot reject. */
  async #commit(): Promise<void> {
    this.#busy = true;
    const group = this.#waiting.splice(0, LARGEST_GROUP);
    let isWritten = false;
    const next = (): void => {
      if (isWritten) return;
      isWritten = true;
      if (this.#waiting.length > 0) void this.#commit();
      else this.#busy = false;
    };
    try {
      const settle = await this.#store.transaction(async (t) => {
        const settle: (() => void)[] = [];
        for (const write of group) settle.push(await written(t, write));
        queueMicrotask(next); // waits in line for the connection
        return settle;
      });
      for (const one of settle) one();
    } catch (error) {
      for (const { reject } of group) reject(error);
    } finally {
      next();
    }
  }
}

/** @returns what to tell the caller once the transaction is durable */
async function written(t: Db, { work, resolve, reject }: Write): Promise<() => void> {
  await t.query("SAVEPOINT one_write", []);
  try {
    const value = await work(t);
    return () => resolve(value);
  } catch (error) {
    await t.query("ROLLBACK TO SAVEPOINT one_write", []);
    return () => reject(error);
  } finally {
    await t.query("RELEASE SAVEPOINT one_write", []);
  }
}
