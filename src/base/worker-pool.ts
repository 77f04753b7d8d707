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
  /** Its signal is somebody else's business from now on. */
  readonly waitNoMore: () => void;
}

/** What a thread answers; see worker-thread.ts. */
export type Answer =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: unknown; readonly code?: string };

export class WorkerPool implements AsyncDisposable {
  readonly #size: number;
  readonly #heapMb: number;
  readonly #idle: Worker[] = [];
  /** Every live thread, idle or busy; never more than #size. */
  readonly #all = new Set<Worker>();
  readonly #waiting: Job[] = [];
  /** Ends a job that a thread holds, and the thread with it. */
  readonly #running = new Set<(reason: unknown) => void>();
  #stopped = false;

  /** @param options.heapMb  what a thread may hold in JavaScript objects; buffers are not counted */
  constructor(size: number, options: { readonly heapMb?: number } = {}) {
    this.#size = size;
    this.#heapMb = options.heapMb ?? 2048;
  }

  get size(): number {
    return this.#size;
  }

  /** @throws what the task threw; WORKER_TIMED_OUT; WORKER_DIED; the signal's reason */
  run<Input, Output>(task: Task<Input, Output>, input: Input, options: RunOptions = {}): Promise<Output> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#stopped) throw new Error("bug: worker pool used after it was released");
      const { signal } = options;
      signal?.throwIfAborted();
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(job), 1);
        reject(signal?.reason);
      };
      const waitNoMore = (): void => signal?.removeEventListener("abort", giveUp);
      const job: Job = { task, input, options, resolve, reject, waitNoMore };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#waiting.push(job);
      this.#next();
    }) as Promise<Output>;
  }

  /** Refuses what waits and ends what runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    const stopping = new Error("The node is stopping");
    for (const job of this.#waiting.splice(0)) {
      job.waitNoMore();
      job.reject(stopping);
    }
    for (const end of this.#running) end(stopping);
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #next(): void {
    while (this.#waiting.length > 0 && !this.#stopped) {
      const worker = this.#idle.pop() ?? (this.#all.size < this.#size ? this.#start() : undefined);
      if (!worker) return;
      const job = this.#waiting.shift()!;
      job.waitNoMore();
      this.#give(worker, job);
    }
  }

  #start(): Worker {
    const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
    const worker = new Worker(new URL(`./worker-thread${extension}`, import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMb },
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
    const { signal, timeoutMs, transfer } = job.options;
    const end = (settle: () => void, keep: boolean): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      worker.off("message", onMessage).off("messageerror", onError).off("error", onError).off("exit", onExit);
      worker.unref();
      this.#running.delete(giveUp);
      settle();
      if (keep) this.#idle.push(worker);
      else void worker.terminate();
      this.#next();
    };
    const onMessage = (answer: Answer): void =>
      end(() => (answer.kind === "done" ? job.resolve(answer.value) : job.reject(revive(answer))), true);
    const giveUp = (reason: unknown): void => end(() => job.reject(reason), false);
    const onError = (cause: Error): void =>
      giveUp(new NodeError("WORKER_DIED", `Worker died in ${job.task.name}`, { cause }));
    const onExit = (): void => onError(new Error("exited"));
    const onAbort = (): void => giveUp(signal?.reason);
    const onLate = (): void =>
      giveUp(new NodeError("WORKER_TIMED_OUT", `${job.task.name} took more than ${timeoutMs} ms`));
    const timer = timeoutMs === undefined ? undefined : setTimeout(onLate, timeoutMs);
    worker.on("message", onMessage).on("messageerror", onError).once("error", onError).once("exit", onExit);
    signal?.addEventListener("abort", onAbort);
    worker.ref();
    this.#running.add(giveUp);
    try {
      const { module, name } = job.task;
      worker.postMessage({ module, name, input: job.input }, (transfer ?? []) as ArrayBuffer[]);
    } catch (error) {
      end(() => job.reject(error), true); // the input cannot be cloned; the thread has seen nothing of it
    }
  }
}

/** A NodeError keeps its code across the thread border; structured clone alone would lose it. */
function revive(answer: Extract<Answer, { kind: "failed" }>): unknown {
  if (answer.code === undefined || !(answer.error instanceof Error)) return answer.error;
  return new NodeError(answer.code as NodeError["code"], answer.error.message, { cause: answer.error.cause });
}
