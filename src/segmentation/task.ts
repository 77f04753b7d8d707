/**
 * The worker's entry: what a model found to SEG files.
 *
 * In:   what encodeSegmentation takes, with the labels in a SharedArrayBuffer; the header is read here.
 * Out:  the facts of the files and their SHA-256.
 * May:  read the one source file, write the output files. Their bytes are synced; the folder is the caller's to
 *       sync, and so are the names: what ends in ".part" may be half of a file until this returns.
 */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { NodeError } from "../base/errors.ts";
import { task } from "../base/worker-pool.ts";
import { readPart10Header } from "../dicom/part10.ts";
import type {
  EncodedObject,
  NoFinding,
  ObjectFacts,
  Refused,
  ResultFacts,
  SegInput,
  Wanted,
} from "./input.ts";
import { encodeSegmentation } from "./seg.ts";

export interface EncodeJob extends Omit<SegInput, "sourceHeader"> {
  readonly wanted: readonly Wanted[];
  /** Path of the files without what tells them apart: form, part, compression. */
  readonly outputPrefix: string;
}

export interface SegFile extends ObjectFacts {
  /** Of the file once it is whole; it was written with ".part" behind. */
  readonly name: string;
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string;
}

export interface SegFiles extends ResultFacts {
  readonly kind: "seg";
  readonly objects: readonly SegFile[];
}

/** Written at once: small chunks are gathered, the disk sees few large ones. */
const WRITE_BYTES = 4 * 1024 * 1024;

export const encodeTask = task<typeof encodeToFiles>(import.meta.url, "./task", "encodeToFiles");

/** @throws NodeError DATA_SET_INVALID for the source file, SEG_INVALID, STORAGE_FULL, STORAGE_FAILED */
export async function encodeToFiles({
  outputPrefix,
  wanted,
  ...job
}: EncodeJob): Promise<SegFiles | NoFinding | Refused> {
  const { dataSet: sourceHeader } = await readPart10Header(job.source.path).catch(throwAsStorageFault);
  const encoded = encodeSegmentation({ ...job, sourceHeader }, wanted);
  if (encoded.kind !== "seg") return encoded;
  const objects: SegFile[] = [];
  for (const object of encoded.objects)
    objects.push(await write(object, outputPrefix).catch(throwAsStorageFault));
  return { ...encoded, objects };
}

async function write({ chunks, ...facts }: EncodedObject, prefix: string): Promise<SegFile> {
  const { form, part, compression } = facts;
  const path = `${prefix}.${form}${part}${compression === "rle" ? ".rle" : ""}.dcm`;
  await using file = await open(`${path}.part`, "w");
  const hash = createHash("sha256");
  for (const bytes of gathered(chunks)) {
    const writing = file.appendFile(bytes);
    hash.update(bytes);
    await writing;
  }
  await file.datasync();
  return { ...facts, name: basename(path), sha256: hash.digest("hex") };
}

/** Chunks as few large ones; each is valid until the next is asked for. */
function* gathered(chunks: Iterable<Uint8Array>): Generator<Uint8Array, undefined> {
  const buffer = new Uint8Array(WRITE_BYTES);
  let held = 0;
  for (const chunk of chunks) {
    for (let from = 0; from < chunk.length; ) {
      const piece = chunk.subarray(from, from + WRITE_BYTES - held);
      buffer.set(piece, held);
      from += piece.length;
      held += piece.length;
      if (held < WRITE_BYTES) continue;
      yield buffer;
      held = 0;
    }
  }
  if (held > 0) yield buffer.subarray(0, held);
}

function throwAsStorageFault(cause: NodeJS.ErrnoException): never {
  if (cause instanceof NodeError) throw cause;
  throw cause.code === "ENOSPC" || cause.code === "EDQUOT"
    ? new NodeError("STORAGE_FULL", "Segmentation: no space left", { cause })
    : new NodeError("STORAGE_FAILED", `Segmentation: file not readable or writable (${cause.code})`, {
        cause,
      });
}
