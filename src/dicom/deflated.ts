/**
 * Is a deflated data set whole? It is inflated while it arrives, its elements are followed, and it is forgotten.
 *
 * In:   the fragments of a deflated data set (PS3.5 A.5), in order.
 * Out:  what is wrong with it, or nothing.
 * A kilobyte can hold a megabyte of zeros: what is inflated is counted, never kept, and ends at a limit. Inflating is
 * done by threads of the system; who writes faster is asked to wait.
 */
import { finished } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { StructureCheck } from "./structure.ts";

/** A data set of an odd number of bytes is padded with one zero (PS3.5 A.5). */
const PADDING_BYTES = 1;
const CHUNK_BYTES = 64 * 1024;

export interface DeflatedLimits {
  /** Of the data set inflated. */
  readonly bytes: number;
  readonly depth: number;
}

export class DeflatedCheck implements Disposable {
  readonly #limits: DeflatedLimits;
  readonly #inflate = createInflateRaw({ chunkSize: CHUNK_BYTES });
  readonly #structure: StructureCheck;
  #deflatedBytes = 0;
  #inflatedBytes = 0;
  #fault: string | undefined;

  constructor(limits: DeflatedLimits) {
    this.#limits = limits;
    this.#structure = new StructureCheck({ explicitVr: true, bigEndian: false }, limits.depth);
    this.#inflate
      .on("data", (chunk: Buffer) => this.#take(chunk))
      .on("error", () => this.#refuse("cannot be inflated"));
  }

  /** Copies the bytes. @returns  false: wait for drained() before the next */
  write(fragment: Uint8Array): boolean {
    this.#deflatedBytes += fragment.length;
    return this.#isOver ? true : this.#inflate.write(Buffer.from(fragment));
  }

  /** Resolves in the end, whatever happens. */
  async drained(): Promise<void> {
    if (this.#isOver || !this.#inflate.writableNeedDrain) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const event of ["drain", "end", "close"]) this.#inflate.once(event, resolve);
    await promise;
    for (const event of ["drain", "end", "close"]) this.#inflate.off(event, resolve);
  }

  /** @returns what is wrong; undefined if the data set is whole */
  async end(): Promise<string | undefined> {
    if (!this.#isOver) {
      this.#inflate.end();
      await finished(this.#inflate, { writable: false }).catch(() => {}); // its error has been noted
    }
    if (this.#fault !== undefined) return this.#fault;
    const behind = this.#deflatedBytes - this.#inflate.bytesWritten;
    return behind > PADDING_BYTES ? `${behind} bytes behind its end` : this.#structure.end();
  }

  [Symbol.dispose](): void {
    this.#inflate.destroy();
  }

  get #isOver(): boolean {
    return this.#inflate.readableEnded || this.#inflate.destroyed;
  }

  #take(chunk: Buffer): void {
    this.#inflatedBytes += chunk.length;
    if (this.#inflatedBytes > this.#limits.bytes)
      this.#refuse(`inflates to more than ${this.#limits.bytes} bytes`);
    else this.#structure.write(chunk);
  }

  #refuse(fault: string): void {
    this.#fault ??= fault;
    this.#inflate.destroy();
  }
}
