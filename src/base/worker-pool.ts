/**
 * A small pool of threads for work that would hold up the event loop: decoding, coding, SEG encoding.
 *
 * A task is an exported function of some module; the thread imports the module and calls it, so each stage keeps
 * its tasks beside the code they belong to. A thread that throws outside a task, or outlasts its time, is ended
 * and replaced; only the task it held fails. Arguments and results are structured clones: share large arrays in a
 * SharedArrayBuffer, or name them in `transfer`.
 *
 *   idle ──run──▶ busy ──answer──▶ idle
 *                 busy ──crash, time-out, abort──▶ ended (a new thread takes the place)
 */
import { Worker } from "node:worker_threads";
import { NodeError } from "./errors.ts";

/** An exported, async or plain function of a module, callable in a thread. */
export interface Task<Input, Output> {
  readonly module: string;
  readonly name: string;
  readonly types?: (input: Input) => Output;
}

/**
 * Names a function for the pool.
 *
 * @param here  import.meta.url of the caller; its extension is that of the module too, source or compiled
 * @param path  relative path of the module without extension
 */
export function task<F extends (input: never) => unknown>(
  here: string,
  path: string,
  name: string,
): Task<Parameters<F>[0], Awaited<ReturnType<F>>> {
  const extension = here.endsWith(".ts") ? ".ts" : ".js";
  return { module: new URL(path + extension, here).href, name };
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** The thread is ended when it takes longer. */
  readonly timeoutMs?: number;
  readonly transfer?: readonly ArrayBuffer[];
}

interface Job {
  readonly task: Task<never, unknown>;
  readonly input: unknown;
  readonly options: RunOptions;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/** What a thread answers; see worker-thread.ts. */
export type Answer =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: unknown; readonly code?: string };

export class WorkerPool implements AsyncDisposable {
  readonly #size: number;
  readonly #idle: Worker[] = [];
  /** Every live thread, idle or busy; never more than #size. */
  readonly #all = new Set<Worker>();
  readonly #waiting: Job[] = [];
  #stopped = false;

  constructor(size: number) {
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  /** @throws what the task threw; WORKER_TIMED_OUT; WORKER_DIED; the signal's reason */
  run<Input, Output>(task: Task<Input, Output>, input: Input, options: RunOptions = {}): Promise<Output> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#stopped) throw new Error("bug: worker pool used after it was released");
      options.signal?.throwIfAborted();
      this.#waiting.push({ task, input, options, resolve, reject });
      this.#next();
    }) as Promise<Output>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    for (const job of this.#waiting.splice(0)) job.reject(new Error("The node is stopping"));
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #next(): void {
    const job = this.#waiting[0];
    if (!job || this.#stopped) return;
    const worker = this.#idle.pop() ?? (this.#all.size < this.#size ? this.#start() : undefined);
    if (!worker) return;
    this.#waiting.shift();
    if (job.options.signal?.aborted) {
      job.reject(job.options.signal.reason);
      this.#idle.push(worker);
      return this.#next();
    }
    this.#give(worker, job);
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
    const worker = new Worker(new URL(`./worker-thread${extension}`, import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 2048 },
    });
    worker.unref();
    this.#all.add(worker);
    worker.once("exit", () => this.#forget(worker));
    worker.on("error", () => this.#forget(worker)); // an idle thread died; a busy one has its own listener
    return worker;
  }

  #forget(worker: Worker): void {
    if (!this.#all.delete(worker)) return;
    const at = this.#idle.indexOf(worker);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#next();
  }

  #give(worker: Worker, job: Job): void {
    const { signal, timeoutMs } = job.options;
    const end = (settle: () => void, keep: boolean): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      worker.unref();
      settle();
      if (keep) this.#idle.push(worker);
      else void worker.terminate();
      this.#next();
    };
    const onMessage = (answer: Answer): void =>
      answer.kind === "done"
        ? end(() => job.resolve(answer.value), true)
        : end(() => job.reject(revive(answer)), true);
    const onError = (cause: Error): void =>
      end(
        () => job.reject(new NodeError("WORKER_DIED", `Worker died in ${job.task.name}`, { cause })),
        false,
      );
    const onExit = (): void => onError(new Error("exited"));
    const onAbort = (): void => end(() => job.reject(signal?.reason), false);
    const timer = timeoutMs
      ? setTimeout(() => {
          const late = new NodeError("WORKER_TIMED_OUT", `${job.task.name} took more than ${timeoutMs} ms`);
          end(() => job.reject(late), false);
        }, timeoutMs)
      : undefined;
    worker.on("message", onMessage).once("error", onError).once("exit", onExit);
    signal?.addEventListener("abort", onAbort);
    worker.ref();
    worker.postMessage(
      { module: job.task.module, name: job.task.name, input: job.input },
      (job.options.transfer ?? []) as ArrayBuffer[],
    );
  }
}

/** A NodeError keeps its code across the thread border; structured clone alone would lose it. */
function revive(answer: Extract<Answer, { kind: "failed" }>): unknown {
  if (answer.code === undefined || !(answer.error instanceof Error)) return answer.error;
  return new NodeError(answer.code as NodeError["code"], answer.error.message, { cause: answer.error.cause });
}
