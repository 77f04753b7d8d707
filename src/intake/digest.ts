/**
 * The digest of what a file holds, made in a thread of its own while the file is flushed.
 *
 * Read back from the system's memory, so it is of what was written, not of what was meant to be.
 */
import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { NodeError } from "../base/errors.ts";
import { task } from "../base/worker-pool.ts";

export interface Range {
  /** A descriptor of this process. */
  readonly file: number;
  readonly from: number;
  readonly to: number;
}

export const DIGEST = task<typeof digestOf>(import.meta.url, "./digest", "digestOf");

const PIECE = Buffer.allocUnsafeSlow(256 * 1024);

/** @returns SHA-256 as hexadecimal digits. @throws NodeError STORAGE_FAILED if the file is shorter */
export function digestOf({ file, from, to }: Range): string {
  const hash = createHash("sha256");
  for (let at = from; at < to; ) {
    const read = readSync(file, PIECE, 0, Math.min(PIECE.length, to - at), at);
    if (read === 0) throw new NodeError("STORAGE_FAILED", "Spool: a file is shorter than what was written");
    hash.update(PIECE.subarray(0, read));
    at += read;
  }
  return hash.digest("hex");
}
