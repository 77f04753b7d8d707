/**
 * Costly things made once and shared: made when the first asks, dropped when the last lets go.
 *
 * At most `places` things stand on the shelf. Who asks for another one waits in line; a place that comes free is
 * kept for the key that waited longest, and all who wait for that key get it together. A holder must not ask for a
 * second thing while it holds one. Nobody cancels the making of a thing that others wait for.
 */

export interface Held<T> extends AsyncDisposable {
  readonly value: T;
}

interface Entry<T> {
  readonly value: Promise<T>;
  /** What `value` resolved to. */
  made?: T;
  holders: number;
}

interface Waiting {
  readonly key: string;
  readonly admit: () => void;
}

const NEVER = new AbortController().signal;

export class Shelf<T extends AsyncDisposable> {
  readonly #places: number;
  readonly #entries = new Map<string, Entry<T>>();
  /** Places that came free, by the key each is kept for. */
  readonly #kept = new Set<string>();
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
    while (!this.#mayTake(key)) await this.#wait(key, options.signal);
    const entry = this.#take(key, make);
    try {
      const value = await entry.value;
      entry.made = value;
      return { value, [Symbol.asyncDispose]: () => this.#release(key, entry) };
    } catch (error) {
      await this.#release(key, entry);
      throw error;
    }
  }

  /** One more hold of a thing that somebody holds; undefined if nobody does. */
  async share(key: string): Promise<Held<T> | undefined> {
    return this.#entries.has(key)
      ? this.hold(key, () => Promise.reject(new Error("bug: it was there")), { signal: NEVER })
      : undefined;
  }

  /** The thing, if it stands on the shelf and is ready. */
  made(key: string): T | undefined {
    return this.#entries.get(key)?.made;
  }

  #mayTake(key: string): boolean {
    if (this.#entries.has(key) || this.#kept.has(key)) return true;
    return this.#waiting.length === 0 && this.#entries.size + this.#kept.size < this.#places;
  }

  #take(key: string, make: () => Promise<T>): Entry<T> {
    const present = this.#entries.get(key);
    if (present) {
      present.holders++;
      return present;
    }
    this.#kept.delete(key);
    const entry: Entry<T> = { value: make(), holders: 1 };
    this.#entries.set(key, entry);
    return entry;
  }

  async #wait(key: string, signal: AbortSignal): Promise<void> {
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
    const next = this.#waiting[0]?.key;
    if (next !== undefined) {
      this.#kept.add(next);
      const admitted = this.#waiting.filter((waiting) => waiting.key === next);
      for (const waiting of admitted) {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        waiting.admit();
      }
    }
    const made = await entry.value.catch(() => undefined); // the making failed: there is nothing to drop
    await made?.[Symbol.asyncDispose]();
  }
}
