/** SHA-256 of what lies on the disk: read in pieces, never held. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";

const PIECE_BYTES = 256 * 1024;

/** @param from  first byte that counts. @throws what the file system throws */
export async function digestOf(path: string, from = 0): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { start: from, highWaterMark: PIECE_BYTES }))
    hash.update(piece as Uint8Array);
  return hash.digest("hex");
}
