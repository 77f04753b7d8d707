/**
 * Results on disk, in files named by their run.
 *
 * A file appears under its name only when it is whole and durable: written beside it, synced, renamed, folder
 * synced. Written again, by a run that a crash interrupted, it is the same file.
 */
import { type FileHandle, mkdir, open, readdir, rename, rm, unlink } from "node:fs/promises";
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
    const outbox = new Outbox(folder, await open(folder));
    await outbox.#removeParts(""); // of a process that died
    return outbox;
  }

  async #removeParts(beginning: string): Promise<void> {
    for (const name of await readdir(this.#folder))
      if (name.startsWith(beginning) && name.endsWith(PART)) await unlink(join(this.#folder, name));
  }

  /** @param file  name of a result in this folder */
  pathOf(file: string): string {
    return join(this.#folder, file);
  }

  /**
   * @param write  makes and syncs files whose names are those it returns with ".part" behind them, each beginning
   *               with the prefix it is given; or makes none
   * @returns      what `write` returned; its files are durable now
   * @throws       what `write` throws; the halves of files are removed, lest a full disk stays full of them
   */
  async put<T extends { readonly kind: string; readonly objects?: readonly { readonly name: string }[] }>(
    run: RunId,
    write: (prefix: string) => Promise<T>,
  ): Promise<T> {
    try {
      const written = await write(join(this.#folder, run));
      if (!written.objects) return written;
      for (const { name } of written.objects) await rename(this.pathOf(name) + PART, this.pathOf(name));
      await this.#handle.sync();
      return written;
    } catch (error) {
      await this.#removeParts(`${run}.`).catch(() => {}); // the next try overwrites what stays
      throw error;
    }
  }

  /** What a model measured, as JSON; it lies beside the results of the run and is sent nowhere. */
  async keepMeasurements(run: RunId, json: string): Promise<void> {
    const path = this.pathOf(`${run}.measurements.json`);
    {
      await using file = await open(path + PART, "w", 0o600);
      await file.writeFile(json);
      await file.datasync();
    }
    await rename(path + PART, path);
    await this.#handle.sync();
  }

  async removeMeasurements(run: RunId): Promise<void> {
    await this.remove(`${run}.measurements.json`);
  }

  /** What no row speaks of any more. It may be gone already, or never have been. */
  async remove(file: string): Promise<void> {
    await rm(this.pathOf(file), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
