/**
 * A data set that comes in chunks of any size → presentation data values of one size, uncopied. Pure.
 *
 * All values but the last are full, and even (PS3.8 annex E.1); the last one is known only at the end, so one value
 * is always held back.
 */
export class ValuePacker {
  readonly #valueBytes: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** @param valueBytes  2 at least; an odd number is taken for the even one below */
  constructor(valueBytes: number) {
    this.#valueBytes = valueBytes - (valueBytes % 2);
  }

  /** The values that are full and not the last. */
  *add(chunk: Uint8Array): Generator<readonly Uint8Array[]> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#length === this.#valueBytes) yield this.end();
      const part = chunk.subarray(at, at + this.#valueBytes - this.#length);
      this.#parts.push(part);
      this.#length += part.length;
      at += part.length;
    }
  }

  /** What is held back. */
  end(): readonly Uint8Array[] {
    const parts = this.#parts;
    this.#parts = [];
    this.#length = 0;
    return parts;
  }
}
