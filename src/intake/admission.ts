/**
 * Is there room for more? Asked before an association and before an instance.
 *
 * The free space of the data folder is looked at no more than once a second: a refusal in time is worth more than
 * an exact one, and the reserve is large enough for what may arrive in between.
 */
import { statfs } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";

const LOOK_EVERY_MS = 1_000;

export class Admission {
  readonly #folder: string;
  readonly #reserveBytes: number;
  readonly #system: { readonly log: Log; readonly clock: Clock };
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** A look is under way; on a disk that hangs it may take long, and no other is begun. */
  #looking = false;
  #full = false;

  constructor(folder: string, reserveBytes: number, system: { log: Log; clock: Clock }) {
    this.#folder = folder;
    this.#reserveBytes = reserveBytes;
    this.#system = system;
  }

  /** By the last look; starts another one when that is old. */
  get isOpen(): boolean {
    const now = this.#system.clock.elapsed();
    if (now - this.#lookedAt >= LOOK_EVERY_MS && !this.#looking) {
      this.#lookedAt = now;
      void this.#look();
    }
    return !this.#full;
  }

  /** Cannot reject: a folder whose space is unknown counts as full. */
  async #look(): Promise<void> {
    const { log } = this.#system;
    this.#looking = true;
    try {
      const { bavail, bsize } = await statfs(this.#folder);
      const full = bavail * bsize < this.#reserveBytes;
      if (full !== this.#full)
        log[full ? "error" : "info"](full ? "intake.full" : "intake.open-again", { bytes: bavail * bsize });
      this.#full = full;
    } catch (error) {
      if (!this.#full) log.error("intake.full", { error });
      this.#full = true;
    } finally {
      this.#looking = false;
    }
  }
}
