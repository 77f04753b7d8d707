/** A clock that stands still until a test moves it. Timers fire inside advance(), in order of their time. */
import { type Clock, systemClock } from "../../src/base/clock.ts";

interface Timer {
  readonly at: number;
  readonly fire: () => void;
}

export class HandClock implements Clock {
  #wall: number;
  #elapsed = 0;
  readonly #timers = new Set<Timer>();

  constructor(startsAt = 1_700_000_000_000) {
    this.#wall = startsAt;
  }

  now(): number {
    return this.#wall;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  async sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void> {
    options?.signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = this.after(ms, resolve);
    const onAbort = (): void => reject(options?.signal?.reason);
    options?.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      timer[Symbol.dispose]();
      options?.signal?.removeEventListener("abort", onAbort);
    }
  }

  after(ms: number, callback: () => void): Disposable {
    const timer: Timer = { at: this.#elapsed + ms, fire: callback };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer; undefined if there is none. */
  get next(): number | undefined {
    const [first] = this.#inOrder();
    return first && first.at - this.#elapsed;
  }

  advance(ms: number): void {
    const until = this.#elapsed + ms;
    for (let [first] = this.#inOrder(); first && first.at <= until; [first] = this.#inOrder()) {
      this.#timers.delete(first);
      this.#moveTo(first.at);
      first.fire();
    }
    this.#moveTo(until);
  }

  /** The machine's clock is set, forward or back; what is measured does not see it. */
  setWall(now: number): void {
    this.#wall = now;
  }

  #moveTo(elapsed: number): void {
    this.#wall += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }

  #inOrder(): readonly Timer[] {
    return [...this.#timers].sort((a, b) => a.at - b.at);
  }
}

/** The machine's clock, so many times as fast: waits of minutes pass within a test. */
export class FastClock implements Clock {
  readonly #factor: number;
  readonly #start = systemClock.now();

  constructor(factor: number) {
    this.#factor = factor;
  }

  now(): number {
    return Math.round(this.#start + (systemClock.now() - this.#start) * this.#factor);
  }

  elapsed(): number {
    return systemClock.elapsed() * this.#factor;
  }

  sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void> {
    return systemClock.sleep(ms / this.#factor, options);
  }

  after(ms: number, callback: () => void): Disposable {
    return systemClock.after(ms / this.#factor, callback);
  }
}
