/**
 * The embedded queue: jobs as rows, taken by the one process that owns the ledger.
 *
 *   ready ──due──▶ active ──done()──▶ (deleted)
 *                  active ──handler failed──▶ ready, later; dead at the MOST_ATTEMPTS-th time
 *   At start every active row is of a process that died, and a dead one gets another chance: both become ready.
 *
 * Jobs of one key never run side by side; a job asked for while its key runs waits for the end of that run.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Db, Job, JobRequest, Queue, QueueName, Store, WorkOptions } from "./port.ts";
import { Workers } from "./workers.ts";

/** Gives back what a process that died had taken. */
export async function openQueue(store: Store, system: { log: Log; clock: Clock }): Promise<Queue> {
  await store.transaction(async (t) => {
    // A key may wait and run at once: then the waiting job is enough.
    await t.query(
      `DELETE FROM job WHERE state IN ('active', 'dead') AND EXISTS
         (SELECT 1 FROM job r WHERE r.queue = job.queue AND r.key = job.key AND r.state = 'ready')`,
      [],
    );
    await t.query("DELETE FROM job WHERE state = 'dead'", []); // its row makes it again
    await t.query("UPDATE job SET state = 'ready' WHERE state = 'active'", []);
  });
  return new EmbeddedQueue(store, system);
}

class EmbeddedQueue implements Queue {
  readonly #store: Store;
  readonly #system: { readonly log: Log; readonly clock: Clock };
  readonly #workers = new Set<Workers>();

  constructor(store: Store, system: { log: Log; clock: Clock }) {
    this.#store = store;
    this.#system = system;
  }

  async enqueue(t: Db, job: JobRequest): Promise<void> {
    await t.query(
      `INSERT INTO job (queue, key, grp, priority, run_at, state, attempt) VALUES ($1, $2, $3, $4, $5, 'ready', 0)
       ON CONFLICT (queue, key) WHERE state = 'ready'
       DO UPDATE SET run_at = CASE WHEN excluded.run_at < job.run_at THEN excluded.run_at ELSE job.run_at END`,
      [job.queue, job.key, job.group ?? "", job.priority ?? 0, job.runAt],
    );
  }

  work(queue: QueueName, options: WorkOptions, handler: (job: Job) => Promise<void>): AsyncDisposable {
    const workers = new Workers({ queue, options, handler, store: this.#store, ...this.#system });
    this.#workers.add(workers);
    workers.wake();
    return {
      [Symbol.asyncDispose]: async () => {
        await workers.stop();
        this.#workers.delete(workers);
      },
    };
  }

  wake(): void {
    for (const workers of this.#workers) workers.wake();
  }

  rest(queue: QueueName, group: string, until: number): void {
    for (const workers of this.#workers) if (workers.queue === queue) workers.rest(group, until);
  }

  async hasten(queue: QueueName, group: string): Promise<void> {
    const now = this.#system.clock.now();
    await this.#store.transaction((t) =>
      t.query(
        "UPDATE job SET run_at = $3 WHERE queue = $1 AND grp = $2 AND state = 'ready' AND run_at > $3",
        [queue, group, now],
      ),
    );
    this.wake();
  }
}
