/**
 * The only place that knows the time or sleeps.
 *
 * Wall time (`now`) is for records and due dates that must survive a restart; `elapsed` is monotonic and is for
 * measuring. A test moves its own clock by hand (test/support/clock.ts).
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface Clock {
  /** Milliseconds since 1970, by the machine's clock. */
  now(): number;
  /** Milliseconds of a monotonic clock; only differences mean anything. */
  elapsed(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Calls back once after `ms`, unless disposed before. Does not keep the process alive. */
  after(ms: number, callback: () => void): Disposable;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  async sleep(ms, options) {
    try {
      await sleep(ms, undefined, options?.signal ? { signal: options.signal } : {});
    } catch (error) {
      options?.signal?.throwIfAborted();
      throw error;
    }
  },
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
