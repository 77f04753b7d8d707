/**
 * What models answered that may not leave: kept for a person to look at, never sent.
 *
 * One file for each run, as it was received. The newest KEPT stay; an answer is evidence, not an obligation, so none
 * is synced, and one that cannot be kept is no failure of the run.
 */
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunId } from "../ledger/records.ts";

const KEPT = 100;
/** A larger answer is not kept. */
const LARGEST_BYTES = 256 * 1024 * 1024;
const ENDING = ".answer";

export class Quarantine {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(folder: string): Promise<Quarantine> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new Quarantine(folder);
  }

  /** @returns the path of what was kept; undefined if it is too large. @throws what the file system throws */
  async keep(run: RunId, answer: Uint8Array): Promise<string | undefined> {
    if (answer.length > LARGEST_BYTES) return undefined;
    const path = join(this.#folder, run + ENDING);
    await writeFile(path, answer, { mode: 0o600 });
    await this.#forgetOldest();
    return path;
  }

  async #forgetOldest(): Promise<void> {
    const names = await readdir(this.#folder);
    if (names.length <= KEPT) return;
    const dated = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(this.#folder, name))).mtimeMs })),
    );
    dated.sort((a, b) => b.at - a.at);
    for (const { name } of dated.slice(KEPT)) await rm(join(this.#folder, name), { force: true });
  }
}
