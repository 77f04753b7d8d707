/**
 * Bounded concurrency: so many tasks at once, the rest wait in order of priority.
 *
 * A task holds its place until its promise settles. That is why p-queue's time-out is not used, and its signal only
 * while a task waits: both would free the place while the work goes on. Disposing lets what runs end and refuses
 * the rest.
 */
import PQueue from "p-queue";

export class Lane implements AsyncDisposable {
  readonly #queue: PQueue;
  readonly #stop = new AbortController();

  constructor(concurrency: number) {
    this.#queue = new PQueue({ concurrency });
  }

  /**
   * Runs `task` when a place is free; higher priority first, then first come first served.
   *
   * @throws what the task throws; the signal's reason if it aborts before the task begins
   */
  async run<T>(
    task: () => Promise<T>,
    options: { readonly priority?: number; readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    const waiting = new AbortController();
    const signals = options.signal ? [options.signal, this.#stop.signal] : [this.#stop.signal];
    const giveUp = (): void => waiting.abort(signals.find(({ aborted }) => aborted)?.reason);
    const listenNoMore = (): void => {
      for (const signal of signals) signal.removeEventListener("abort", giveUp);
    };
    for (const signal of signals) signal.throwIfAborted();
    for (const signal of signals) signal.addEventListener("abort", giveUp);
    try {
      return await this.#queue.add(
        () => {
          listenNoMore();
          return task();
        },
        { priority: options.priority ?? 0, signal: waiting.signal },
      );
    } finally {
      listenNoMore();
    }
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
