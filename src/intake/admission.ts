/**
 * Is there room for more? Asked before an association and before an instance.
 *
 * The free space of the data folder is looked at no more than once a second; what arrives in between is counted, so
 * that a fast sender does not take the room that is kept for results and the ledger.
 */
import { statfs } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import type { Log, LogFields } from "../base/log.ts";

const LOOK_EVERY_MS = 1_000;
/** Times the reserve: or the node would open for one image, and close. */
const OPENS_AGAIN_AT = 1.1;

export class Admission {
  readonly #folder: string;
  readonly #reserveBytes: number;
  readonly #system: { readonly log: Log; readonly clock: Clock };
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** A look is under way; on a disk that hangs it may take long, and no other is begun. */
  #looking = false;
  /** By the last look. */
  #freeBytes = Number.POSITIVE_INFINITY;
  /** Arrived since that look began. */
  #takenBytes = 0;
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
    const free = this.#freeBytes - this.#takenBytes;
    if (!this.#full && free < this.#reserveBytes) this.#turn(true, { bytes: free });
    return !this.#full;
  }

  /** So much arrives now. */
  take(bytes: number): void {
    this.#takenBytes += bytes;
  }

  /** Cannot reject: a folder whose space is unknown counts as full. */
  async #look(): Promise<void> {
    this.#looking = true;
    this.#takenBytes = 0;
    try {
      const { bavail, bsize } = await statfs(this.#folder);
      this.#freeBytes = bavail * bsize;
      const needed = this.#reserveBytes * (this.#full ? OPENS_AGAIN_AT : 1);
      this.#turn(this.#freeBytes < needed, { bytes: this.#freeBytes });
    } catch (error) {
      this.#turn(true, { error });
    } finally {
      this.#looking = false;
    }
  }

  /** Says it when it changes. */
  #turn(full: boolean, fields: LogFields): void {
    const { log } = this.#system;
    if (full !== this.#full) log[full ? "error" : "info"](full ? "intake.full" : "intake.open-again", fields);
    this.#full = full;
  }
}
