/**
 * The durable record, as stages see it: rows, transactions and jobs. Two engines can stand behind it.
 *
 * Rows are the obligations, the queue only schedules: every job can be made again from rows, so a lost job costs
 * delay and never a result. SQL is the subset that SQLite and PostgreSQL share: $1…$n parameters, TEXT and BIGINT
 * columns, INSERT … ON CONFLICT … RETURNING; time is a parameter; JSON is text.
 */

export type Cell = string | number | null;

/** A row of a query, columns by name. */
export type Row = Readonly<Record<string, Cell>>;

export interface Db {
  query(sql: string, parameters: readonly Cell[]): Promise<readonly Row[]>;
}

export interface TransactionOptions {
  /** False: only what is committed later and is durable makes this so, too. */
  readonly isDurable: boolean;
}

export interface Store {
  /** Outside a transaction: sees what is committed. */
  readonly db: Db;
  /**
   * All or nothing; `work` does no I/O other than through `t`. Durable when it resolves, unless it is said that a power
   * cut may undo it: then it is not waited for the disk.
   */
  transaction<T>(work: (t: Db) => Promise<T>, options?: TransactionOptions): Promise<T>;
}

export type QueueName = "close" | "infer" | "deliver" | "commit";

export interface JobRequest {
  readonly queue: QueueName;
  /** The payload is the key only; handlers read rows. One job per key waits, at most one runs. */
  readonly key: string;
  /** Epoch milliseconds. A waiting job with the same key moves to the earlier of the two times. */
  readonly runAt: number;
  readonly priority?: number;
  readonly group?: string;
}

export interface Job {
  readonly key: string;
  /** From 1. */
  readonly attempt: number;
  /** Aborts when the node stops and cannot wait any longer. */
  readonly signal: AbortSignal;
  /** Ends the job and commits `work` with it, or neither. @throws LEASE_LOST if the attempt is no longer ours */
  done(work?: (t: Db) => Promise<void>): Promise<void>;
}

export interface WorkOptions {
  readonly concurrency: number;
  /** How many jobs of one group run at once. */
  readonly perGroup?: number;
  /** How long what runs may go on at a stop; then its signal aborts. 0 by default. */
  readonly graceMs?: number;
}

export interface Queue {
  enqueue(t: Db, job: JobRequest): Promise<void>;
  /**
   * Starts taking jobs. A handler that rejects, or returns without done(), gives its job back for another try
   * after a back-off; after MOST_ATTEMPTS it is dead until an operator or the next start tries it. Disposing takes no more jobs, lets those that run end, and aborts
   * them after `graceMs`.
   */
  work(queue: QueueName, options: WorkOptions, handler: (job: Job) => Promise<void>): AsyncDisposable;
  /** Jobs may have become due: look again. Call after a transaction that enqueued. */
  wake(): void;
  /** No job of the group begins before then; what a circuit breaker asks for. In memory only. */
  rest(queue: QueueName, group: string, until: number): void;
  /** Every waiting job of the group is due now: what it waited for is there again. */
  hasten(queue: QueueName, group: string): Promise<void>;
}
