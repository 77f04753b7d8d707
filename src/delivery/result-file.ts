/**
 * A result as it is sent: its file opened once, read ahead of what is sent.
 *
 * Owns: the open file and the memory it is read into, until it is disposed.
 */
import { type FileHandle, open } from "node:fs/promises";
import { NodeError } from "../base/errors.ts";
import { readPart10Meta } from "../dicom/part10.ts";
import { Buffers } from "./buffers.ts";

/** Small results are whole in it. */
const FIRST_BYTES = 64 * 1024;
const CHUNK_BYTES = 512 * 1024;
const MOST_WAITING = 4;

/** Shared by the files of all destinations. */
export class ResultMemory {
  readonly first = new Buffers(FIRST_BYTES, MOST_WAITING);
  readonly chunks = new Buffers(CHUNK_BYTES, MOST_WAITING);
}

export class ResultFile implements Disposable {
  readonly #file: FileHandle;
  readonly #memory: ResultMemory;
  readonly #first: Buffer;
  readonly #firstLength: number;
  readonly #dataSetOffset: number;
  /** What was read into; may be in use by whoever was given parts of it. */
  readonly #chunks: Buffer[] = [];
  /** What follows the first bytes, if anything does. */
  readonly #second: Promise<Uint8Array> | undefined;
  #isSent = false;

  private constructor(file: FileHandle, memory: ResultMemory, first: { bytes: Buffer; length: number }) {
    this.#file = file;
    this.#memory = memory;
    this.#first = first.bytes;
    this.#firstLength = first.length;
    this.#dataSetOffset = readPart10Meta(first.bytes.subarray(0, first.length)).dataSetOffset;
    this.#second = first.length < FIRST_BYTES ? undefined : this.#read(first.length);
  }

  /** @throws NodeError DATA_SET_INVALID, STORAGE_FAILED */
  static async open(path: string, memory: ResultMemory): Promise<ResultFile> {
    let file: FileHandle | undefined;
    try {
      file = await open(path);
      const bytes = memory.first.take();
      const { bytesRead: length } = await file.read(bytes, 0, FIRST_BYTES, 0);
      return new ResultFile(file, memory, { bytes, length });
    } catch (cause) {
      await file?.close();
      if (cause instanceof NodeError) throw cause;
      throw new NodeError("STORAGE_FAILED", "Result: its file cannot be read", { cause });
    }
  }

  /** The bytes from an offset in the file; by default the whole data set. The next chunk is read meanwhile. */
  async *from(offset = this.#dataSetOffset): AsyncGenerator<Uint8Array> {
    let at = this.#firstLength;
    let next = this.#second;
    if (offset < at) yield this.#first.subarray(offset, at);
    while (next) {
      const chunk = await next;
      const skipped = Math.max(offset - at, 0);
      at += chunk.length;
      next = chunk.length < CHUNK_BYTES ? undefined : this.#read(at);
      if (skipped < chunk.length) yield chunk.subarray(skipped);
    }
  }

  /** Nobody uses any more what `from` has given: its memory may be used again. */
  sent(): void {
    this.#isSent = true;
  }

  /** Nobody waits for the closing of a file that was only read. */
  [Symbol.dispose](): void {
    this.#file.close().catch(() => {});
    if (!this.#isSent) return;
    this.#memory.first.give(this.#first);
    for (const chunk of this.#chunks) this.#memory.chunks.give(chunk);
  }

  #read(at: number): Promise<Uint8Array> {
    const bytes = this.#memory.chunks.take();
    this.#chunks.push(bytes);
    const reading = this.#file
      .read(bytes, 0, CHUNK_BYTES, at)
      .then(({ bytesRead }) => bytes.subarray(0, bytesRead));
    reading.catch(() => {}); // who waits for it is told; where nobody does any more, nobody has to be
    return reading;
  }
}
