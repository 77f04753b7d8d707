/**
 * The worker's entry: label map to SEG file.
 *
 * In:   what encodeSegmentation takes, with the label map in a SharedArrayBuffer; the header is read here.
 * Out:  the facts of the file and its SHA-256.
 * May:  read the one source file, write the one output file. The bytes are synced; the folder is the caller's to
 *       sync, and so is the name: the file under `outputPath` may be half of one until this returns.
 */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { NodeError } from "../base/errors.ts";
import { task } from "../base/worker-pool.ts";
import { readPart10Header } from "../dicom/part10.ts";
import type { Facts, NoFinding, Refused, SegInput } from "./input.ts";
import { encodeSegmentation } from "./seg.ts";

export interface EncodeJob extends Omit<SegInput, "sourceHeader"> {
  readonly outputPath: string;
}

export interface SegFile extends Facts {
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string;
}

export const encodeTask = task<typeof encodeToFile>(import.meta.url, "./task", "encodeToFile");

/** @throws NodeError DATA_SET_INVALID for the source file, SEG_INVALID, STORAGE_FULL, STORAGE_FAILED */
export async function encodeToFile({
  outputPath,
  ...job
}: EncodeJob): Promise<SegFile | NoFinding | Refused> {
  const { dataSet: sourceHeader } = await readPart10Header(job.source.path).catch(throwAsStorageFault);
  const encoded = encodeSegmentation({ ...job, sourceHeader });
  if (encoded.kind !== "seg") return encoded;
  const { chunks, ...facts } = encoded;
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  await write(outputPath, chunks).catch(throwAsStorageFault);
  return { ...facts, sha256: hash.digest("hex") };
}

async function write(path: string, chunks: readonly Uint8Array[]): Promise<void> {
  await using file = await open(path, "w");
  for (const chunk of chunks) await file.appendFile(chunk);
  await file.datasync();
}

function throwAsStorageFault(cause: NodeJS.ErrnoException): never {
  if (cause instanceof NodeError) throw cause;
  throw cause.code === "ENOSPC" || cause.code === "EDQUOT"
    ? new NodeError("STORAGE_FULL", "Segmentation: no space left", { cause })
    : new NodeError("STORAGE_FAILED", `Segmentation: file not readable or writable (${cause.code})`, {
        cause,
      });
}
