/**
 * Results on disk; one file for each run, named by it.
 *
 * A result appears under its name only when it is whole and durable: written beside it, synced, renamed, folder
 * synced. Written again, by a run that a crash interrupted, it is the same file.
 */
import { type FileHandle, mkdir, open, readdir, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { RunId } from "../ledger/records.ts";

const PART = ".part";

export class Outbox implements AsyncDisposable {
  readonly #folder: string;
  readonly #handle: FileHandle;

  private constructor(folder: string, handle: FileHandle) {
    this.#folder = folder;
    this.#handle = handle;
  }

  static async open(folder: string): Promise<Outbox> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const name of await readdir(folder)) {
      if (name.endsWith(PART)) await unlink(join(folder, name)); // of a process that died
    }
    return new Outbox(folder, await open(folder));
  }

  pathOf(run: RunId): string {
    return join(this.#folder, `${run}.dcm`);
  }

  /**
   * @param write  makes and syncs the file at the path it is given, or makes none
   * @returns      what `write` returned; where that is a "seg" it is durable now
   */
  async put<T extends { readonly kind: string }>(
    run: RunId,
    write: (path: string) => Promise<T>,
  ): Promise<T> {
    const part = this.pathOf(run) + PART;
    const written = await write(part);
    if (written.kind !== "seg") return written;
    await rename(part, this.pathOf(run));
    await this.#handle.sync();
    return written;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
