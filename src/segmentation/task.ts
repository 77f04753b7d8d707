/**
 * The worker's entry: label map to SEG file.
 *
 * In:   what encodeSegmentation takes, with the label map in a SharedArrayBuffer; the header is read here.
 * Out:  the facts of the files and their SHA-256.
 * May:  read the one source file, write the output files, each under its name with ".part" behind it. The bytes are
 *       synced; the folder is the caller's to sync, and the names are the caller's to give.
 */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { NodeError } from "../base/errors.ts";
import { task } from "../base/worker-pool.ts";
import { TRANSFER_SYNTAX } from "../dicom/constants.ts";
import { readPart10Header } from "../dicom/part10.ts";
import type { TransferSyntaxUid } from "../dicom/uid.ts";
import type { Facts, Form, NoFinding, Refused, SegInput, Wanted } from "./input.ts";
import { encodeSegmentation } from "./seg.ts";

export interface EncodeJob extends Omit<SegInput, "sourceHeader"> {
  /** BINARY is made whatever is wanted: what refuses another form gets it. */
  readonly wanted: readonly Wanted[];
  /** Path that every name of a file begins with. */
  readonly outputPrefix: string;
}

export interface SegFile extends Omit<Facts, "kind" | "absent"> {
  readonly form: Form;
  /** From 1. */
  readonly part: number;
  readonly transferSyntaxUid: TransferSyntaxUid;
  /** Without ".part". */
  readonly name: string;
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string;
}

export interface SegFiles {
  readonly kind: "seg";
  readonly objects: readonly SegFile[];
  readonly absent: readonly number[];
}

export const encodeTask = task<typeof encodeToFile>(import.meta.url, "./task", "encodeToFile");

/** @throws NodeError DATA_SET_INVALID for the source file, SEG_INVALID, STORAGE_FULL, STORAGE_FAILED */
export async function encodeToFile({
  outputPrefix,
  ...job
}: EncodeJob): Promise<SegFiles | NoFinding | Refused> {
  const { dataSet: sourceHeader } = await readPart10Header(job.source.path).catch(throwAsStorageFault);
  const encoded = encodeSegmentation({ ...job, sourceHeader });
  if (encoded.kind !== "seg") return encoded;
  const { chunks, absent, kind, ...facts } = encoded;
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  const path = `${outputPrefix}.binary1.dcm`;
  await write(`${path}.part`, chunks).catch(throwAsStorageFault);
  const transferSyntaxUid = TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN;
  const about = { form: "binary", part: 1, transferSyntaxUid, name: basename(path) } as const;
  return { kind, absent, objects: [{ ...facts, ...about, sha256: hash.digest("hex") }] };
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
