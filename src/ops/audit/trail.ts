/**
 * The audit trail on disk: files of chained lines, the newest one written to, the oldest removed when there are too many.
 *
 * In:   messages (message.ts).
 * Out:  `audit-<first number>.log` in a folder of its own, readable by its owner only.
 *
 * Messages of one turn share one flush. A write that fails is tried again with the next; up to WAITING messages wait
 * in memory, then the oldest is dropped and the trail says how many were lost: the node goes on, and the gap shows.
 */
import { type FileHandle, mkdir, open, readdir, readFile, truncate, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../../base/log.ts";
import { follow, type Link, nextLine, START } from "./chain.ts";

export interface TrailSettings {
  readonly folder: string;
  /** A file that has grown larger is followed by another. */
  readonly fileBytes: number;
  readonly files: number;
}

const WAITING = 10_000;
const NAME = /^audit-(\d{15})\.log$/;

export class Trail implements AsyncDisposable {
  readonly #settings: TrailSettings;
  readonly #log: Log;
  readonly #onWritten: () => void;
  #file: FileHandle;
  #size: number;
  #last: Link;
  #waiting: string[] = [];
  #lost = 0;
  #writing: Promise<void> | undefined;

  private constructor(
    settings: TrailSettings,
    opened: { readonly file: FileHandle; readonly size: number; readonly last: Link },
    system: { readonly log: Log; readonly onWritten: () => void },
  ) {
    this.#settings = settings;
    this.#file = opened.file;
    this.#size = opened.size;
    this.#last = opened.last;
    this.#log = system.log;
    this.#onWritten = system.onWritten;
  }

  /** A line that a crash left half is cut off: it was never told to anybody. */
  static async open(
    settings: TrailSettings,
    system: { readonly log: Log; readonly onWritten: () => void },
  ): Promise<Trail> {
    await mkdir(settings.folder, { recursive: true, mode: 0o700 });
    const files = await trailFiles(settings.folder);
    const path = files.at(-1) ?? join(settings.folder, nameOf(1));
    const text = await textOf(path);
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    if (whole.length < text.length) await truncate(path, Buffer.byteLength(whole));
    const last = lastLink(whole) ?? lastLink(await textOf(files.at(-2))) ?? START;
    const file = await open(path, "a", 0o600);
    return new Trail(settings, { file, size: Buffer.byteLength(whole), last }, system);
  }

  add(message: string): void {
    this.#waiting.push(message);
    if (this.#waiting.length > WAITING) {
      this.#waiting.shift();
      this.#lost += 1;
    }
    this.#writing ??= this.#write();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#writing) await this.#writing;
    await this.#file.close();
  }

  /** Cannot reject. */
  async #write(): Promise<void> {
    try {
      await Promise.resolve(); // what else happens in this turn comes along
      while (this.#waiting.length > 0) {
        const messages = this.#waiting.slice();
        const lost = this.#lost;
        let last = this.#last;
        const lines = [...(lost > 0 ? [lostMessage(lost)] : []), ...messages].map((message) => {
          const next = nextLine(last, message);
          last = next.link;
          return `${next.line}\n`;
        });
        const bytes = Buffer.from(lines.join(""));
        await this.#append(bytes);
        this.#last = last;
        this.#lost -= lost;
        this.#waiting.splice(0, messages.length);
        this.#onWritten();
        if (this.#size >= this.#settings.fileBytes) await this.#turn();
      }
    } catch (error) {
      this.#log.error("audit.failed", { error });
    } finally {
      this.#writing = undefined;
    }
  }

  /** All of it, or none: what a failed write left is cut off again. */
  async #append(bytes: Uint8Array): Promise<void> {
    try {
      await this.#file.appendFile(bytes);
      await this.#file.datasync();
      this.#size += bytes.length;
    } catch (error) {
      await this.#file.truncate(this.#size).catch(() => {});
      throw error;
    }
  }

  async #turn(): Promise<void> {
    const { folder, files } = this.#settings;
    const next = await open(join(folder, nameOf(this.#last.sequence + 1)), "a", 0o600);
    await this.#file.close();
    this.#file = next;
    this.#size = 0;
    const all = await trailFiles(folder);
    for (const old of all.slice(0, Math.max(0, all.length - files))) await unlink(old);
  }
}

/** Paths, oldest first. */
export async function trailFiles(folder: string): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name)).sort();
  return names.map((name) => join(folder, name));
}

export type Verified =
  | { readonly kind: "whole"; readonly lines: number; readonly first: number; readonly last: Link }
  | { readonly kind: "broken"; readonly path: string; readonly line: number; readonly reason: string }
  | { readonly kind: "empty" };

/** Follows the chain through all files of a folder. A half line at the very end is one that is being written. */
export async function verifyTrail(folder: string): Promise<Verified> {
  let last: Link | undefined;
  let first = 0;
  let lines = 0;
  for (const path of await trailFiles(folder)) {
    const written = (await readFile(path, "utf8")).split("\n").slice(0, -1);
    for (const [at, line] of written.entries()) {
      const isVeryFirst = last === undefined && line.startsWith("1 ");
      const followed = follow(isVeryFirst ? START : last, line);
      if (followed.kind === "broken") return { kind: "broken", path, line: at + 1, reason: followed.reason };
      last = followed.link;
      first ||= last.sequence;
      lines += 1;
    }
  }
  return last ? { kind: "whole", lines, first, last } : { kind: "empty" };
}

/** Empty for a file that is not there. */
async function textOf(path: string | undefined): Promise<string> {
  if (path === undefined) return "";
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    return "";
  });
}

/** Of a text of whole lines. */
function lastLink(text: string): Link | undefined {
  const followed = follow(undefined, text.trimEnd().split("\n").at(-1) ?? "");
  return followed.kind === "link" ? followed.link : undefined;
}

function nameOf(sequence: number): string {
  return `audit-${String(sequence).padStart(15, "0")}.log`;
}

function lostMessage(count: number): string {
  return `<!-- ${count} messages were lost here: they could not be written in time -->`;
}
