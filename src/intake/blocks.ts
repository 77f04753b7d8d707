/**
 * Memory for what is on its way to the disk: blocks of one size, used again and again.
 *
 * What arrives is copied into them once. Buffers that come and go with every image would keep the garbage collector
 * at work for a quarter of the time.
 */
/** A CT slice with its header fits, and goes to the disk in one call. */
export const BLOCK_BYTES = 576 * 1024;
/** More are given back to the system: 18 MiB stay. */
const MOST_KEPT = 32;

export class Blocks {
  readonly #free: Buffer[] = [];

  /** Of BLOCK_BYTES; what is in it means nothing. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  /** Nobody reads or writes it any more. */
  giveBack(block: Buffer): void {
    if (this.#free.length < MOST_KEPT) this.#free.push(block);
  }
}
