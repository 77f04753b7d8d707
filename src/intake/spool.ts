/**
 * Where instances lie: one file each, written as it arrives, durable before it is spoken of.
 *
 * A file appears under its final name at once; the ledger row is what publishes it. So the row comes after fdatasync
 * of the file and fsync of the folder; a file without a row is a spare, or of a process that died (orphans.ts). Mostly
 * the name is durable before the instance comes (spares.ts); else the folder is flushed while the bytes still arrive.
 * File names are random and say nothing about the patient.
 */
import { type FileHandle, mkdir, open, readdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SharedFlush } from "../base/shared-flush.ts";
import { WorkerPool } from "../base/worker-pool.ts";
import type { FileId } from "../ledger/records.ts";
import { Blocks } from "./blocks.ts";
import { DIGEST } from "./digest.ts";
import { Spares } from "./spares.ts";
import { SpoolFile } from "./spool-file.ts";

const EXTENSION = ".dcm";

export interface SpoolOptions {
  /** "off": what is kept survives the end of the process, but not that of the system. */
  readonly sync: "on" | "off";
}

const NOTHING = { file: 0, from: 0, to: 0 } as const;

export class Spool implements AsyncDisposable {
  readonly #folder: string;
  readonly #handle: FileHandle;
  readonly #isDurable: boolean;
  readonly #blocks = new Blocks();
  readonly #spares: Spares;
  /** A thread for digests alone: images may keep the others busy for minutes. */
  readonly #digests = new WorkerPool(1);
  /** Of the folder. */
  readonly #flush: SharedFlush;

  private constructor(folder: string, handle: FileHandle, isDurable: boolean) {
    this.#folder = folder;
    this.#handle = handle;
    this.#isDurable = isDurable;
    this.#flush = new SharedFlush(() => handle.sync());
    const flushFolder = isDurable ? () => this.#flush.flushed() : async () => {};
    this.#spares = new Spares((id) => this.pathOf(id), flushFolder);
  }

  static async open(folder: string, options: SpoolOptions = { sync: "on" }): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await using parent = await open(dirname(folder));
    await parent.sync(); // or the folder itself could be gone after a power cut
    const spool = new Spool(folder, await open(folder), options.sync === "on");
    spool.#digests.run(DIGEST, NOTHING).catch(() => {}); // its thread stands before the first instance needs it
    return spool;
  }

  pathOf(id: FileId): string {
    return join(this.#folder, id + EXTENSION);
  }

  /** A new file that begins with `head` (preamble and meta information). */
  create(head: Uint8Array): SpoolFile {
    return new SpoolFile({
      head,
      blocks: this.#blocks,
      spare: this.#spares.take(),
      create: () => this.#spares.create(),
      flushFolder: this.#isDurable ? () => this.#flush.flushed() : undefined,
      digest: (range) => this.#digests.run(DIGEST, range),
    });
  }

  /** Starts the thread for digests, or the first instance waits for that. */
  async warm(): Promise<void> {
    if (this.#isDurable) await this.#digests.run(DIGEST, { file: this.#handle.fd, from: 0, to: 0 });
  }

  async remove(id: FileId): Promise<void> {
    await unlink(this.pathOf(id));
  }

  async isEmpty(): Promise<boolean> {
    return (await readdir(this.#folder)).length === 0;
  }

  /** Of every file that is named like an instance. */
  async ids(): Promise<readonly FileId[]> {
    const entries = await readdir(this.#folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && entry.name.endsWith(EXTENSION))
      .map(({ name }) => name.slice(0, -EXTENSION.length) as FileId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#spares[Symbol.asyncDispose]();
    await this.#digests[Symbol.asyncDispose]();
    await this.#flush.ended();
    await this.#handle.close();
  }
}
