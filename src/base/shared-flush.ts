/**
 * A flush that many wait for: whoever comes while one is under way shares the next, since that one began too early.
 *
 * A flush that failed is not asked again for the same bytes: the system reports a lost write once, so those who wait
 * for the next one fail too.
 */
export class SharedFlush {
  readonly #flush: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(flush: () => Promise<void>) {
    this.#flush = flush;
  }

  /** What was written before is flushed when it resolves. @throws what the flush throws */
  flushed(): Promise<void> {
    if (!this.#running) return (this.#running = this.#run());
    return (this.#next ??= this.#after(this.#running));
  }

  /** Resolves when none is under way or waited for. Never rejects. */
  async ended(): Promise<void> {
    await this.#running?.catch(() => {});
    await this.#next?.catch(() => {});
  }

  async #after(running: Promise<void>): Promise<void> {
    try {
      await running;
    } finally {
      this.#next = undefined;
    }
    await (this.#running = this.#run());
  }

  async #run(): Promise<void> {
    try {
      await this.#flush();
    } finally {
      this.#running = undefined;
    }
  }
}
