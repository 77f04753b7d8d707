/**
 * The ledger of a data folder: open it, and take up what a process that ended left.
 *
 * Owns: the database file and the owner's lock, released last.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { commitKey, commitmentsIn } from "./commitments.ts";
import { GroupCommit } from "./group-commit.ts";
import type { Queue, QueueName, Store } from "./port.ts";
import { openQueue } from "./queue.ts";
import { pendingDeliveries } from "./results.ts";
import { pendingRuns } from "./runs.ts";
import { openSeries } from "./series.ts";
import { openSqlite, type SqliteOptions } from "./sqlite.ts";

export interface Ledger extends Disposable {
  readonly store: Store;
  readonly queue: Queue;
  /** There was no ledger in the folder: whatever else lies there is of one that is gone. */
  readonly isNew: boolean;
  /** For writes of many associations at once; shares disk flushes. */
  readonly group: GroupCommit;
  /**
   * Gives every obligation that has no job at all one again. There is none unless something is wrong: rows are the
   * obligations, and a job that was lost costs delay and never a result.
   *
   * @returns how many there were
   */
  sweep(): Promise<number>;
}

/** @throws NodeError DATA_FOLDER_IN_USE, LEDGER_FAILED */
export async function openLedger(
  folder: string,
  system: { log: Log; clock: Clock },
  options?: SqliteOptions,
): Promise<Ledger> {
  const store = openSqlite(folder, options);
  if (store.salvage) {
    const { path, kept: count, lost } = store.salvage;
    system.log.error("ledger.damaged", { path, count, reason: `at least ${lost} rows could not be read` });
  }
  try {
    const queue = await openQueue(store, system);
    const jobs = await restoreJobs(store, queue, system.clock.now());
    if (jobs > 0) system.log.info("ledger.resumed", { count: jobs });
    const group = new GroupCommit(store);
    const sweep = (): Promise<number> => missingJobs(store, queue, system.clock.now());
    return {
      store,
      queue,
      group,
      sweep,
      isNew: store.isNew,
      [Symbol.dispose]: () => store[Symbol.dispose](),
    };
  } catch (error) {
    store[Symbol.dispose]();
    throw error;
  }
}

/** Every obligation without a waiting job gets one; where one waits, nothing changes but that it is due now. */
async function restoreJobs(store: Store, queue: Queue, now: number): Promise<number> {
  return store.transaction(async (t) => {
    const series = await openSeries(t);
    const runs = await pendingRuns(t);
    const deliveries = await pendingDeliveries(t);
    const commitments = await commitmentsIn(t, ["new", "waiting", "reporting"]);
    for (const { id } of series) await queue.enqueue(t, { queue: "close", key: id, runAt: now });
    for (const { id, priority, model } of runs) {
      await queue.enqueue(t, { queue: "infer", key: id, runAt: now, priority, group: model });
    }
    for (const { id, destination } of deliveries) {
      await queue.enqueue(t, { queue: "deliver", key: id, runAt: now, group: destination });
    }
    for (const commitment of commitments) {
      const key = commitKey(commitment);
      await queue.enqueue(t, { queue: "commit", key, runAt: now, group: commitment.peer });
    }
    return series.length + runs.length + deliveries.length + commitments.length;
  });
}

const MISSING: readonly (readonly [queue: QueueName, sql: string])[] = [
  ["close", "SELECT id, '' AS grp, 0 AS priority FROM series o WHERE state = 'open'"],
  ["infer", "SELECT id, model AS grp, priority FROM run o WHERE state = 'pending'"],
  ["deliver", "SELECT id, destination AS grp, 0 AS priority FROM delivery o WHERE state = 'pending'"],
];

async function missingJobs(store: Store, queue: Queue, now: number): Promise<number> {
  return store.transaction(async (t) => {
    let count = 0;
    for (const [name, sql] of MISSING) {
      const without = `${sql} AND NOT EXISTS (SELECT 1 FROM job WHERE queue = $1 AND key = o.id)`;
      for (const row of await t.query(without, [name])) {
        const [group, priority] = [String(row["grp"]), Number(row["priority"])];
        await queue.enqueue(t, { queue: name, key: String(row["id"]), runAt: now, group, priority });
        count++;
      }
    }
    return count;
  });
}
