/**
 * Files made before they are needed, several at a time: one flush of the folder makes all their names durable, and no
 * sender waits for it.
 *
 * A spare that is never used is removed when the node stops, or as an orphan at its next start.
 */
import { randomUUID } from "node:crypto";
import { unlink } from "node:fs/promises";
import type { FileId } from "../ledger/records.ts";
import { closeFile, openFile } from "./files.ts";

export interface NewFile {
  readonly id: FileId;
  readonly path: string;
  readonly file: number;
}

/** So many are made at once, when half of them are used. */
const AT_ONCE = 16;

export class Spares implements AsyncDisposable {
  readonly #pathOf: (id: FileId) => string;
  readonly #flushFolder: () => Promise<void>;
  readonly #ready: NewFile[] = [];
  #making: Promise<void> | undefined;
  #isOver = false;

  constructor(pathOf: (id: FileId) => string, flushFolder: () => Promise<void>) {
    this.#pathOf = pathOf;
    this.#flushFolder = flushFolder;
  }

  /** Empty, and its name durable; undefined if none is ready: then the caller makes one. */
  take(): NewFile | undefined {
    const taken = this.#ready.shift();
    if (this.#ready.length <= AT_ONCE / 2 && !this.#isOver) this.#making ??= this.#make();
    return taken;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#making;
    await Promise.all(this.#ready.splice(0).map(remove));
  }

  /** @throws what the file system throws */
  async create(): Promise<NewFile> {
    const id = randomUUID() as string as FileId;
    const path = this.#pathOf(id);
    return { id, path, file: await openFile(path, "wx+", 0o600) };
  }

  /** Cannot reject: without spares the next instance meets the trouble itself, and is answered so. */
  async #make(): Promise<void> {
    const created = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => this.create()));
    const files = created.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    try {
      await this.#flushFolder();
      this.#ready.push(...files);
    } catch {
      await Promise.all(files.map(remove));
    } finally {
      this.#making = undefined;
    }
  }
}

/** Never rejects: what cannot be removed now is an orphan. */
async function remove({ file, path }: NewFile): Promise<void> {
  await closeFile(file).catch(() => {});
  await unlink(path).catch(() => {});
}
