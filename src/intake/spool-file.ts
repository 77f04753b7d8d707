/**
 * One instance on its way to the disk.
 *
 * In:   its bytes, copied into blocks as they come.
 * Out:  a file that is durable, or none.
 *
 * Back-pressure: at most PENDING_BLOCKS wait for the disk; then write() asks to wait. While a block is written the
 * next one fills. A write or a flush that failed is not asked again: the instance fails.
 */
import { createHash, type Hash } from "node:crypto";
import { unlink } from "node:fs/promises";
import { NodeError } from "../base/errors.ts";
import type { FileId } from "../ledger/records.ts";
import { BLOCK_BYTES, type Blocks } from "./blocks.ts";
import type { Range } from "./digest.ts";
import { closeFile, flushData, writeAll } from "./files.ts";
import type { NewFile } from "./spares.ts";

const PENDING_BLOCKS = 6;
/** Its digest takes less than asking a thread for it. */
const SHORT_BYTES = 64 * 1024;

export interface Written {
  readonly id: FileId;
  readonly path: string;
  /** Of the data set, without preamble and meta information. */
  readonly bytes: number;
  readonly sha256: string;
}

export interface SpoolFileParts {
  /** Preamble and meta information. */
  readonly head: Uint8Array;
  readonly blocks: Blocks;
  /** A file that is there already. */
  readonly spare: NewFile | undefined;
  readonly create: () => Promise<NewFile>;
  /** Makes the name of a new file durable; undefined: nothing is flushed, neither that nor the file. */
  readonly flushFolder: (() => Promise<void>) | undefined;
  /** Makes the digest of a long instance elsewhere, while it is flushed. */
  readonly digest: (range: Range) => Promise<string>;
}

export class SpoolFile {
  readonly #parts: SpoolFileParts;
  readonly #created: Promise<NewFile>;
  /** The folder has the file's name, durably. */
  readonly #named: Promise<void>;
  /** Undefined where the digest is made elsewhere. */
  readonly #hash: Hash | undefined;
  /** What fills; the blocks before it are in #full, in order, or being written. */
  #block: Buffer;
  #filled = 0;
  /** The digest is of the data set alone. */
  readonly #headBytes: number;
  #hashedFirst = false;
  /** Where it begins; kept to the end, so that the header can be read. */
  readonly #first: Buffer;
  #full: Buffer[] = [];
  #pendingBlocks = 0;
  #bytes = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;
  #state: "open" | "finished" | "discarded" = "open";

  constructor(parts: SpoolFileParts) {
    this.#parts = parts;
    const { head, blocks, spare, create, flushFolder } = parts;
    this.#hash = flushFolder ? undefined : createHash("sha256");
    this.#created = spare ? Promise.resolve(spare) : create();
    this.#named = spare ? Promise.resolve() : this.#created.then(flushFolder ?? (() => {}));
    this.#named.catch((error: unknown) => {
      this.#failure ??= error;
    });
    this.#first = blocks.take();
    this.#block = this.#first;
    this.#block.set(head);
    this.#filled = head.length;
    this.#headBytes = head.length;
  }

  /** Copies the bytes. @returns false: wait for drained() before the next */
  write(fragment: Uint8Array): boolean {
    this.#bytes += fragment.length;
    for (let at = 0; at < fragment.length; ) {
      if (this.#filled === BLOCK_BYTES) this.#next();
      const part = fragment.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
    }
    return this.#pendingBlocks < PENDING_BLOCKS;
  }

  async drained(): Promise<void> {
    await this.#writing;
  }

  /** The first bytes of the data set, until it is finished or discarded. */
  head(bytes: number): Uint8Array {
    const end = this.#block === this.#first ? this.#filled : BLOCK_BYTES;
    return this.#first.subarray(this.#headBytes, Math.min(end, this.#headBytes + bytes));
  }

  /** Durable when it resolves. @throws NodeError STORAGE_FULL, STORAGE_FAILED; the file is gone then */
  async finish(): Promise<Written> {
    const { id, path, sha256 } = await this.#finished();
    return { id, path, bytes: this.#bytes, sha256 };
  }

  /** Also of one that is finished. Never rejects: what cannot be removed now is removed at the next start. */
  async discard(): Promise<void> {
    const wasOpen = this.#state === "open";
    this.#state = "discarded";
    this.#failure ??= new Error("discarded");
    if (wasOpen) await this.#letGo();
    try {
      const { file, path } = await this.#created;
      if (wasOpen) await closeFile(file);
      await unlink(path);
    } catch {
      // Not made, gone already, or not to be removed now.
    }
  }

  async #finished(): Promise<NewFile & { readonly sha256: string }> {
    try {
      await this.#writing;
      if (this.#failure !== undefined) throw this.#failure;
      const created = await this.#created;
      const last = this.#block.subarray(0, this.#filled);
      const writing = this.#writeBlocks(created.file, [last]);
      this.#hashBlock(last);
      await writing;
      const { flushFolder } = this.#parts;
      const flushing = Promise.all([flushFolder && flushData(created.file), this.#named]);
      const [digest, flushed] = await Promise.allSettled([this.#digestOf(created.file), flushing]);
      if (flushed.status === "rejected") throw flushed.reason;
      if (digest.status === "rejected") throw digest.reason;
      this.#state = "finished";
      await this.#letGo();
      closeFile(created.file).catch(() => {}); // all of it is on the disk
      return { ...created, sha256: digest.value };
    } catch (cause) {
      await this.discard();
      throw storageError(cause);
    }
  }

  /** Where the flush takes its time anyway, a thread makes the digest meanwhile; a short one is made at once. */
  async #digestOf(file: number): Promise<string> {
    if (this.#hash) return this.#hash.digest("hex");
    const [from, to] = [this.#headBytes, this.#headBytes + this.#bytes];
    if (this.#bytes > SHORT_BYTES) return this.#parts.digest({ file, from, to });
    return createHash("sha256").update(this.#first.subarray(from, to)).digest("hex");
  }

  /** The blocks are free when nothing is written any more. */
  async #letGo(): Promise<void> {
    await this.#writing;
    this.#release([...this.#full.splice(0), this.#block]);
    this.#parts.blocks.giveBack(this.#first);
  }

  #next(): void {
    this.#full.push(this.#block);
    this.#pendingBlocks += 1;
    const full = this.#block;
    this.#block = this.#parts.blocks.take();
    this.#filled = 0;
    this.#writing ??= this.#writeFull();
    this.#hashBlock(full);
  }

  #hashBlock(block: Uint8Array): void {
    this.#hash?.update(this.#hashedFirst ? block : block.subarray(this.#headBytes));
    this.#hashedFirst = true;
  }

  /** Cannot reject: the first failure is kept for finish(). */
  async #writeFull(): Promise<void> {
    try {
      const { file } = await this.#created;
      while (this.#full.length > 0 && this.#failure === undefined) {
        const group = this.#full;
        this.#full = [];
        try {
          await this.#writeBlocks(file, group);
        } finally {
          this.#pendingBlocks -= group.length;
          this.#release(group);
        }
      }
    } catch (error) {
      this.#failure ??= error;
    } finally {
      if (this.#failure !== undefined) this.#pendingBlocks = 0;
      this.#writing = undefined;
    }
  }

  async #writeBlocks(file: number, blocks: readonly Uint8Array[]): Promise<void> {
    const bytes = blocks.reduce((sum, one) => sum + one.length, 0);
    if ((await writeAll(file, blocks)) !== bytes) throw new NodeError("STORAGE_FULL", "Spool: short write");
  }

  #release(blocks: readonly Buffer[]): void {
    for (const block of blocks) if (block !== this.#first) this.#parts.blocks.giveBack(block);
  }
}

function storageError(cause: unknown): NodeError {
  if (cause instanceof NodeError) return cause;
  const code = (cause as NodeJS.ErrnoException).code;
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG"
    ? new NodeError("STORAGE_FULL", "Spool: no space left", { cause })
    : new NodeError("STORAGE_FAILED", `Spool: cannot write (${code ?? "unknown"})`, { cause });
}
