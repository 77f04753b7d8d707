/**
 * Memory that files are read into, used again: allocated for each file it would cost more than the sending.
 *
 * Who gives a buffer back is done with it, and so is everybody who was handed a part of it.
 */
export class Buffers {
  readonly #bytes: number;
  readonly #most: number;
  readonly #free: Buffer[] = [];

  /** @param most  that wait to be used again */
  constructor(bytes: number, most: number) {
    this.#bytes = bytes;
    this.#most = most;
  }

  /** With whatever is in it. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  give(buffer: Buffer): void {
    if (this.#free.length < this.#most) this.#free.push(buffer);
  }
}
