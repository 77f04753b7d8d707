/**
 * Costly things made once and shared: made when the first asks, dropped when the last lets go.
 *
 * At most `places` things stand on the shelf; who asks for another one waits until a place is free. A holder must
 * not ask for a second thing while it holds one. Nobody cancels the making of a thing that others wait for.
 */

export interface Held<T> extends AsyncDisposable {
  readonly value: T;
}

interface Entry<T> {
  readonly value: Promise<T>;
  holders: number;
}

interface Waiting {
  readonly key: string;
  readonly admit: () => void;
}

export class Shelf<T extends AsyncDisposable> {
  readonly #places: number;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #waiting: Waiting[] = [];

  constructor(places: number) {
    this.#places = places;
  }

  /** @throws what `make` throws, to all who wait for this thing; the next who asks makes it again */
  async hold(
    key: string,
    make: () => Promise<T>,
    options: { readonly signal: AbortSignal },
  ): Promise<Held<T>> {
    const entry = await this.#entry(key, make, options.signal);
    try {
      const value = await entry.value;
      return { value, [Symbol.asyncDispose]: () => this.#release(key, entry) };
    } catch (error) {
      await this.#release(key, entry);
      throw error;
    }
  }

  async #entry(key: string, make: () => Promise<T>, signal: AbortSignal): Promise<Entry<T>> {
    while (!this.#entries.has(key) && this.#entries.size >= this.#places) await this.#place(key, signal);
    const present = this.#entries.get(key);
    if (present) {
      present.holders++;
      return present;
    }
    const entry = { value: make(), holders: 1 };
    this.#entries.set(key, entry);
    this.#admit((waiting) => waiting.key === key);
    return entry;
  }

  async #place(key: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    const waiting: Waiting = { key, admit: resolve };
    this.#waiting.push(waiting);
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
    }
  }

  async #release(key: string, entry: Entry<T>): Promise<void> {
    entry.holders--;
    if (entry.holders > 0) return;
    this.#entries.delete(key);
    try {
      await (await entry.value)[Symbol.asyncDispose]();
    } catch {
      // The making failed: those who waited know, and there is nothing to drop.
    }
    const next = this.#waiting[0];
    if (next) this.#admit((waiting) => waiting.key === next.key);
  }

  #admit(which: (waiting: Waiting) => boolean): void {
    for (const waiting of this.#waiting.filter(which)) waiting.admit();
  }
}
