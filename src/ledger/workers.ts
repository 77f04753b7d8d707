/**
 * Those who work on one queue: they take due jobs in order of priority, hold to the limits, and give back what failed.
 *
 * Which groups rest and how many of each run is known in memory alone: nobody else takes jobs of this ledger.
 */
import { type Backoff, backoffMs } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Db, Job, QueueName, Row, Store, WorkOptions } from "./port.ts";

const RETRY: Backoff = { firstMs: 1_000, capMs: 15 * 60_000 };
/** Some three hours. Handlers decide about peers and models themselves; what fails so often is a fault of ours. */
const MOST_ATTEMPTS = 20;

interface WorkersParts {
  readonly queue: QueueName;
  readonly options: WorkOptions;
  readonly handler: (job: Job) => Promise<void>;
  readonly store: Store;
  readonly log: Log;
  readonly clock: Clock;
}

/** A job that is ours now. */
interface Taken {
  readonly id: number;
  readonly key: string;
  readonly attempt: number;
  readonly group: string;
}

/** Those who work on one queue. */
export class Workers {
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
  /** Groups of which no job begins before a time. */
  readonly #resting = new Map<string, number>();
  /** How many of each group run. In memory, since nobody else takes jobs: counting rows costs more the longer the line. */
  readonly #inGroup = new Map<string, number>();

  constructor(parts: WorkersParts) {
    this.#parts = parts;
  }

  get queue(): QueueName {
    return this.#parts.queue;
  }

  rest(group: string, until: number): void {
    this.#resting.set(group, until);
    this.wake();
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

  async #take(now: number): Promise<Taken | undefined> {
    const { store, queue, options } = this.#parts;
    for (const [group, until] of this.#resting) if (until <= now) this.#resting.delete(group);
    const most = options.perGroup ?? options.concurrency;
    const full = [...this.#inGroup].filter(([, count]) => count >= most).map(([group]) => group);
    const barred = [...this.#resting.keys(), ...full];
    // Walks the index job_order and stops at the first that fits; the plus keeps other indexes, and a sort, out of it.
    const take = (t: Db): Promise<readonly Row[]> =>
      t.query(
        `UPDATE job SET state = 'active', attempt = attempt + 1 WHERE id = (
           SELECT id FROM job j WHERE queue = $1 AND state = 'ready' AND +run_at <= $2
             AND NOT EXISTS (SELECT 1 FROM job a WHERE a.queue = j.queue AND a.key = j.key AND a.state = 'active')
             AND grp NOT IN (${barred.map((_, at) => `$${at + 3}`).join(", ")})
           ORDER BY priority DESC, run_at, id LIMIT 1)
         RETURNING id, key, attempt, grp`,
        [queue, now, ...barred],
      );
    // Undone by a power cut it is ready again, as it would be anyway.
    const [row] = await store.transaction(take, { isDurable: false });
    return row && takenOf(row);
  }

  #start(taken: Taken): void {
    const { group } = taken;
    this.#inGroup.set(group, (this.#inGroup.get(group) ?? 0) + 1);
    const running = this.#run(taken).finally(() => {
      this.#running.delete(running);
      const others = (this.#inGroup.get(group) ?? 1) - 1;
      if (others > 0) this.#inGroup.set(group, others);
      else this.#inGroup.delete(group);
      this.wake();
    });
    this.#running.add(running);
  }

  /** Cannot reject. */
  async #run({ id, key, attempt }: Taken): Promise<void> {
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
      const { aborted } = this.#abort.signal;
      if (!aborted) log.error("queue.job-failed", { queue, attempt, error });
      if (!aborted && attempt >= MOST_ATTEMPTS && !ended) ended = await this.#buried(id, error);
    }
    while (!ended) ended = await this.#givenBack(id, attempt);
  }

  /** @returns whether the job is dead now: an error that passes is no reason. */
  async #buried(id: number, error: unknown): Promise<boolean> {
    const { store, log, queue } = this.#parts;
    if (error instanceof NodeError && error.failure === "transient") return false;
    const code = error instanceof NodeError ? error.code : "UNEXPECTED";
    try {
      await store.transaction((t) =>
        t.query("UPDATE job SET state = 'dead', code = $2 WHERE id = $1", [id, code]),
      );
      log.error("queue.job-dead", { queue, code });
      return true;
    } catch {
      return false; // given back, and tried again
    }
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
    const times = [...this.#resting.values(), ...(typeof next === "number" ? [next] : [])];
    if (times.length > 0) this.#timerIn(Math.max(Math.min(...times) - clock.now(), 1));
  }

  #timerIn(ms: number): void {
    this.#timer?.[Symbol.dispose]();
    if (!this.#stopping) this.#timer = this.#parts.clock.after(Math.min(ms, 60_000), () => this.wake());
  }
}

function takenOf(row: Row): Taken {
  return {
    id: Number(row["id"]),
    key: String(row["key"]),
    attempt: Number(row["attempt"]),
    group: String(row["grp"]),
  };
}
