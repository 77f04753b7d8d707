/**
 * Where instances lie: one file each, written as it arrives, durable before it is spoken of.
 *
 * A file appears under its final name at once; the ledger row is what publishes it. So the row comes after fdatasync
 * of the file and fsync of the folder; a file without a row is of a process that died, and is removed at the next
 * start. The folder is synced as soon as the file is there, while its bytes still arrive, and a digest is made
 * while the disk writes: neither makes the sender wait. File names are random and say nothing about the patient.
 *
 * Back-pressure: at most PENDING_LIMIT bytes of an instance wait for the disk; then write() asks to wait. A flush that
 * failed is not asked again: the system reports a lost write once, so those who wait for the next flush fail too.
 */
import { createHash, type Hash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { NodeError } from "../base/errors.ts";
import type { FileId } from "../ledger/records.ts";

const PENDING_LIMIT_BYTES = 4 * 1024 * 1024;
/** What a fragment costs in memory besides its bytes; some peers send them very small. */
const FRAGMENT_BYTES = 256;
const EXTENSION = ".dcm";

export interface Written {
  readonly id: FileId;
  readonly path: string;
  /** Of the data set, without preamble and meta information. */
  readonly bytes: number;
  readonly sha256: string;
}

export class Spool implements AsyncDisposable {
  readonly #folder: string;
  readonly #handle: FileHandle;
  /** The flush of the folder under way, and the one that those who came since will share. */
  #flushing: Promise<void> | undefined;
  #nextFlush: Promise<void> | undefined;

  private constructor(folder: string, handle: FileHandle) {
    this.#folder = folder;
    this.#handle = handle;
  }

  static async open(folder: string): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await using parent = await open(dirname(folder));
    await parent.sync(); // or the folder itself could be gone after a power cut
    return new Spool(folder, await open(folder));
  }

  pathOf(id: FileId): string {
    return join(this.#folder, id + EXTENSION);
  }

  /** A new file that begins with `head` (preamble and meta information). */
  create(head: Uint8Array): SpoolFile {
    const id = randomUUID() as string as FileId;
    return new SpoolFile(id, this.pathOf(id), head, () => this.#flushFolder());
  }

  async remove(id: FileId): Promise<void> {
    await unlink(this.pathOf(id));
  }

  async isEmpty(): Promise<boolean> {
    return (await readdir(this.#folder)).length === 0;
  }

  /** Removes the files that `isKept` does not know. @returns how many */
  async removeOrphans(isKept: (id: FileId) => Promise<boolean>): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith(EXTENSION)) continue;
      const id = name.slice(0, -EXTENSION.length) as FileId;
      if (await isKept(id)) continue;
      await this.remove(id);
      removed++;
    }
    return removed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flushing?.catch(() => {});
    await this.#nextFlush?.catch(() => {});
    await this.#handle.close();
  }

  /** A flush that began before the file was made does not count for it: later callers share the next one. */
  #flushFolder(): Promise<void> {
    if (!this.#flushing) return (this.#flushing = this.#flush());
    return (this.#nextFlush ??= this.#flushAfter(this.#flushing));
  }

  async #flushAfter(flushing: Promise<void>): Promise<void> {
    try {
      await flushing;
    } finally {
      this.#nextFlush = undefined;
    }
    await (this.#flushing = this.#flush());
  }

  async #flush(): Promise<void> {
    try {
      await this.#handle.sync();
    } finally {
      this.#flushing = undefined;
    }
  }
}

/** One instance on its way to the disk. */
export class SpoolFile {
  readonly #id: FileId;
  readonly #path: string;
  readonly #file: Promise<FileHandle>;
  /** The folder has the file's name, durably. */
  readonly #named: Promise<void>;
  readonly #hash: Hash = createHash("sha256");
  /** The head was left out of the digest, which is of the data set alone. */
  #hashed = false;
  #bytes = 0;
  /** Waiting for the disk, in order; the write under way has been taken out. */
  #pending: Uint8Array[];
  #pendingBytes = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  constructor(id: FileId, path: string, head: Uint8Array, flushFolder: () => Promise<void>) {
    this.#id = id;
    this.#path = path;
    this.#pending = [head];
    this.#file = open(path, "wx", 0o600);
    this.#named = this.#file.then(flushFolder);
    this.#named.catch((error: unknown) => {
      this.#failure ??= error;
    });
  }

  /** Takes over the bytes, which must not change any more. @returns false: wait for drained() before the next */
  write(fragment: Uint8Array): boolean {
    this.#bytes += fragment.length;
    this.#pending.push(fragment);
    this.#pendingBytes += sizeOf(fragment);
    this.#writing ??= this.#writePending();
    return this.#pendingBytes < PENDING_LIMIT_BYTES;
  }

  async drained(): Promise<void> {
    await this.#writing;
  }

  /** Durable when it resolves. @throws NodeError STORAGE_FULL, STORAGE_FAILED; the file is gone then */
  async finish(): Promise<Written> {
    try {
      await (this.#writing ??= this.#writePending());
      if (this.#failure !== undefined) throw this.#failure;
      const file = await this.#file;
      await Promise.all([file.datasync(), this.#named]);
      file.close().catch(() => {}); // all of it is on the disk
    } catch (cause) {
      await this.discard();
      throw storageError(cause);
    }
    return { id: this.#id, path: this.#path, bytes: this.#bytes, sha256: this.#hash.digest("hex") };
  }

  /** Never rejects: what cannot be removed now is an orphan, and removed at the next start. */
  async discard(): Promise<void> {
    this.#pending = [];
    await this.#writing;
    try {
      await (await this.#file).close();
      await unlink(this.#path);
    } catch {
      // Not opened, or closed already.
      await unlink(this.#path).catch(() => {});
    }
  }

  /** Cannot reject: the first failure is kept for finish(). */
  async #writePending(): Promise<void> {
    try {
      const file = await this.#file;
      while (this.#pending.length > 0 && this.#failure === undefined) {
        const group = this.#pending;
        const bytes = group.reduce((sum, one) => sum + one.length, 0);
        this.#pending = [];
        const writing = file.writev(group);
        for (const one of group.slice(this.#hashed ? 0 : 1)) this.#hash.update(one);
        this.#hashed = true;
        const { bytesWritten } = await writing;
        if (bytesWritten !== bytes) throw new NodeError("STORAGE_FULL", "Spool: short write");
        this.#pendingBytes = this.#pending.reduce((sum, one) => sum + sizeOf(one), 0);
      }
    } catch (error) {
      this.#failure ??= error;
    } finally {
      if (this.#failure !== undefined) this.#pending = [];
      this.#pendingBytes = 0;
      this.#writing = undefined;
    }
  }
}

function sizeOf(fragment: Uint8Array): number {
  return fragment.length + FRAGMENT_BYTES;
}

function storageError(cause: unknown): NodeError {
  if (cause instanceof NodeError) return cause;
  const code = (cause as NodeJS.ErrnoException).code;
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG"
    ? new NodeError("STORAGE_FULL", "Spool: no space left", { cause })
    : new NodeError("STORAGE_FAILED", `Spool: cannot write (${code ?? "unknown"})`, { cause });
}
