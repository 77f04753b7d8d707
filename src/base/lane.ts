/**
 * Bounded concurrency: so many tasks at once, the rest wait in order of priority.
 *
 * p-queue's own time-out is not used: it would free the place while the work goes on. A task holds its place
 * until its promise settles. Disposing lets what runs end and refuses the rest.
 */
import PQueue from "p-queue";

export class Lane implements AsyncDisposable {
  readonly #queue: PQueue;
  readonly #stop = new AbortController();

  constructor(concurrency: number) {
    this.#queue = new PQueue({ concurrency });
  }

  /** Runs `task` when a place is free; higher priority first, then first come first served. */
  async run<T>(
    task: () => Promise<T>,
    options: { readonly priority?: number; readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    const signal = options.signal ? AbortSignal.any([options.signal, this.#stop.signal]) : this.#stop.signal;
    return this.#queue.add(
      () => {
        signal.throwIfAborted();
        return task();
      },
      { priority: options.priority ?? 0, signal },
    );
  }

  get running(): number {
    return this.#queue.pending;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("The node is stopping"));
    await this.#queue.onIdle();
  }
}
