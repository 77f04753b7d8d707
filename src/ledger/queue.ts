/**
 * The embedded queue: jobs as rows, taken by the one process that owns the ledger.
 *
 *   ready ──due──▶ active ──done()──▶ (deleted)
 *                  active ──handler failed──▶ ready, later
 *   At start every active row is of a process that died: it becomes ready again.
 *
 * Jobs of one key never run side by side; a job asked for while its key runs waits for the end of that run.
 */
import { type Backoff, backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Db, Job, JobRequest, Queue, QueueName, Row, Store, WorkOptions } from "./port.ts";

const RETRY: Backoff = { firstMs: 1_000, capMs: 15 * 60_000 };

/** Gives back what a process that died had taken. */
export async function openQueue(store: Store, system: { log: Log; clock: Clock }): Promise<Queue> {
  await store.transaction(async (t) => {
    // A key may wait and run at once: then the waiting job is enough.
    await t.query(
      `DELETE FROM job WHERE state = 'active' AND EXISTS
         (SELECT 1 FROM job r WHERE r.queue = job.queue AND r.key = job.key AND r.state = 'ready')`,
      [],
    );
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
}

interface WorkersParts {
  readonly queue: QueueName;
  readonly options: WorkOptions;
  readonly handler: (job: Job) => Promise<void>;
  readonly store: Store;
  readonly log: Log;
  readonly clock: Clock;
}

/** Those who work on one queue. */
class Workers {
  readonly #parts: WorkersParts;
  readonly #running = new Set<Promise<void>>();
  /** Takes no more jobs. */
  #stopping = false;
  /** Ends those that run. */
  readonly #abort = new AbortController();
  #timer: Disposable | undefined;
  /** A look for due jobs is under way; another one is wanted after it. */
  #looking = false;
  #lookAgain = false;
  #lastLook: Promise<void> = Promise.resolve();

  constructor(parts: WorkersParts) {
    this.#parts = parts;
  }

  wake(): void {
    if (this.#stopping) return;
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = true;
    this.#lastLook = this.#look();
  }

  async stop(): Promise<void> {
    const { clock, options } = this.#parts;
    this.#stopping = true;
    this.#timer?.[Symbol.dispose]();
    const end = (): void => this.#abort.abort(new Error("The node is stopping"));
    const late = options.graceMs ? clock.after(options.graceMs, end) : undefined;
    if (!late) end();
    await this.#lastLook;
    await Promise.allSettled(this.#running);
    late?.[Symbol.dispose]();
  }

  /** Cannot reject: a ledger that fails is logged, and looked at again. */
  async #look(): Promise<void> {
    const { log, clock, queue, options } = this.#parts;
    try {
      do {
        this.#lookAgain = false;
        const seen = clock.now();
        while (this.#running.size < options.concurrency && !this.#stopping) {
          const taken = await this.#take(seen);
          if (!taken) break;
          this.#start(taken);
        }
        await this.#setTimer(seen);
        // No await between this question and #looking = false: a wake-up in between would be lost.
      } while (this.#lookAgain && !this.#stopping);
    } catch (error) {
      log.error("queue.failed", { queue, error });
      this.#timerIn(RETRY.firstMs);
    } finally {
      this.#looking = false;
    }
  }

  async #take(now: number): Promise<{ id: number; key: string; attempt: number } | undefined> {
    const { store, queue, options } = this.#parts;
    // Undone by a power cut it is ready again, as it would be anyway.
    const take = (t: Db): Promise<readonly Row[]> =>
      t.query(
        `UPDATE job SET state = 'active', attempt = attempt + 1 WHERE id = (
           SELECT id FROM job j WHERE queue = $1 AND state = 'ready' AND run_at <= $2
             AND NOT EXISTS (SELECT 1 FROM job a WHERE a.queue = j.queue AND a.key = j.key AND a.state = 'active')
             AND (SELECT COUNT(*) FROM job a WHERE a.queue = j.queue AND a.grp = j.grp AND a.state = 'active') < $3
           ORDER BY priority DESC, run_at, id LIMIT 1)
         RETURNING id, key, attempt`,
        [queue, now, options.perGroup ?? options.concurrency],
      );
    const [row] = await store.transaction(take, { isDurable: false });
    return row
      ? { id: Number(row["id"]), key: String(row["key"]), attempt: Number(row["attempt"]) }
      : undefined;
  }

  #start(taken: { id: number; key: string; attempt: number }): void {
    const running = this.#run(taken).finally(() => {
      this.#running.delete(running);
      this.wake();
    });
    this.#running.add(running);
  }

  /** Cannot reject. */
  async #run({ id, key, attempt }: { id: number; key: string; attempt: number }): Promise<void> {
    const { store, handler, log, queue } = this.#parts;
    let ended = false;
    const done = async (work?: (t: Db) => Promise<void>): Promise<void> => {
      await store.transaction(async (t) => {
        const removed = await t.query("DELETE FROM job WHERE id = $1 AND attempt = $2 RETURNING id", [
          id,
          attempt,
        ]);
        if (removed.length === 0) throw new NodeError("LEASE_LOST", `Job of ${queue}: no longer ours`);
        await work?.(t);
      });
      ended = true;
    };
    try {
      // A stop can come between the taking and the beginning: then it is only given back.
      if (!this.#stopping) await handler({ key, attempt, signal: this.#abort.signal, done });
    } catch (error) {
      if (!this.#abort.signal.aborted) log.error("queue.job-failed", { queue, attempt, error });
    }
    while (!ended) ended = await this.#givenBack(id, attempt);
  }

  /** False, after a while, if the ledger failed: its disk may have room again the next time. */
  async #givenBack(id: number, attempt: number): Promise<boolean> {
    const { store, clock, log, queue } = this.#parts;
    const { signal } = this.#abort;
    const runAt = clock.now() + (signal.aborted ? 0 : backoffMs(RETRY, attempt, Math.random()));
    try {
      await store.transaction(async (t) => {
        const [waiting] = await t.query(
          `SELECT r.id FROM job r JOIN job a ON a.queue = r.queue AND a.key = r.key
           WHERE a.id = $1 AND r.state = 'ready'`,
          [id],
        );
        if (waiting) await t.query("DELETE FROM job WHERE id = $1", [id]);
        else await t.query("UPDATE job SET state = 'ready', run_at = $2 WHERE id = $1", [id, runAt]);
      });
      return true;
    } catch (error) {
      log.error("queue.failed", { queue, error });
    }
    try {
      await clock.sleep(RETRY.firstMs, { signal });
      return false;
    } catch {
      return true; // stopping: it stays active in the ledger, and is given back at the next start
    }
  }

  /** For the first job that was not yet due when we looked at `seen`. */
  async #setTimer(seen: number): Promise<void> {
    const { store, queue, clock, options } = this.#parts;
    if (this.#stopping || this.#running.size >= options.concurrency) return;
    const [row] = await store.db.query(
      "SELECT MIN(run_at) AS next FROM job WHERE queue = $1 AND state = 'ready' AND run_at > $2",
      [queue, seen],
    );
    const next = row?.["next"];
    if (typeof next === "number") this.#timerIn(Math.max(next - clock.now(), 1));
  }

  #timerIn(ms: number): void {
    this.#timer?.[Symbol.dispose]();
    if (!this.#stopping) this.#timer = this.#parts.clock.after(Math.min(ms, 60_000), () => this.wake());
  }
}
