/**
 * A C-STORE SCU over a folder: every DICOM file in it goes out on one association.
 *
 * In:   a folder, with or without subfolders; a peer.
 * Out:  what the peer answered, by status; the files that were passed over, and why.
 *
 * The files are sent as they are. Each SOP class and transfer syntax gets a presentation context of its own; a peer
 * that refuses one gets none of those files.
 */
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { associate, type Peer, type ProposedContext } from "../association/scu.ts";
import { NodeError } from "../base/errors.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import { STATUS } from "../dicom/constants.ts";
import { stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { readPart10Header } from "../dicom/part10.ts";
import { type InstanceUid, parseUid, type SopClassUid, type TransferSyntaxUid } from "../dicom/uid.ts";

export interface DicomFile {
  readonly path: string;
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  readonly transferSyntaxUid: TransferSyntaxUid;
  /** Where the data set begins. */
  readonly offset: number;
  readonly modality: string;
  readonly studyUid: string;
  readonly seriesUid: string;
}

/** In order of their paths. */
export interface Folder {
  readonly files: readonly DicomFile[];
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
}

export interface Sent {
  readonly stored: number;
  /** Refused, by status; a refused presentation context counts as 0122H, SOP Class not supported. */
  readonly refused: ReadonlyMap<number, number>;
}

export interface SendOptions {
  readonly callingAeTitle: AeTitle;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Of presentation contexts in one association, PS3.8 9.3.2.2: identifiers are odd numbers up to 255. */
const MAX_CONTEXTS = 128;
const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 60_000;
const CHUNK_BYTES = 128 * 1024;

const TAG = {
  sopClass: tagOf("SOPClassUID"),
  sopInstance: tagOf("SOPInstanceUID"),
  mediaSopClass: tagOf("MediaStorageSOPClassUID"),
  mediaSopInstance: tagOf("MediaStorageSOPInstanceUID"),
  modality: tagOf("Modality"),
  study: tagOf("StudyInstanceUID"),
  series: tagOf("SeriesInstanceUID"),
};

/** @throws what the file system throws */
export async function readFolder(folder: string): Promise<Folder> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files: DicomFile[] = [];
  const skipped: { readonly path: string; readonly reason: string }[] = [];
  for (const path of paths.sort()) {
    try {
      const file = await readFileHeader(path);
      if (file) files.push(file);
      else skipped.push({ path, reason: "no SOP Class or Instance UID" });
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      skipped.push({ path, reason: error.message });
    }
  }
  return { files, skipped };
}

/** @throws NodeError, as associate() and store() do; the signal's reason */
export async function send(files: readonly DicomFile[], peer: Peer, options: SendOptions): Promise<Sent> {
  const { callingAeTitle, onProgress, signal } = options;
  const refused = new Map<number, number>();
  let stored = 0;
  await using association = await associate(peer, {
    callingAeTitle,
    contexts: contextsOf(files),
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    answerTimeoutMs: ANSWER_TIMEOUT_MS,
    ...(signal && { signal }),
  });
  for (const [at, file] of files.entries()) {
    const status = association.accepted(file.sopClassUid, file.transferSyntaxUid)
      ? (await association.store({ ...file, dataSet: dataSetOf(file) }, signal ? { signal } : {})).status
      : STATUS.SOP_CLASS_NOT_SUPPORTED;
    if (status === STATUS.SUCCESS || isWarning(status)) stored += 1;
    else refused.set(status, (refused.get(status) ?? 0) + 1);
    onProgress?.(at + 1, files.length);
  }
  return { stored, refused };
}

async function readFileHeader(path: string): Promise<DicomFile | undefined> {
  const { dataSet, meta, transferSyntaxUid, dataSetOffset } = await readPart10Header(path);
  const sopClassUid = parseUid<SopClassUid>(
    stringOf(dataSet, TAG.sopClass) ?? stringOf(meta, TAG.mediaSopClass),
  );
  const sopInstanceUid = parseUid<InstanceUid>(
    stringOf(dataSet, TAG.sopInstance) ?? stringOf(meta, TAG.mediaSopInstance),
  );
  if (!sopClassUid || !sopInstanceUid) return undefined;
  return {
    path,
    sopClassUid,
    sopInstanceUid,
    transferSyntaxUid,
    offset: dataSetOffset,
    modality: stringOf(dataSet, TAG.modality) ?? "",
    studyUid: stringOf(dataSet, TAG.study) ?? "",
    seriesUid: stringOf(dataSet, TAG.series) ?? "",
  };
}

/** The first 128 pairs; files of the others are refused like those of a context the peer refused. */
function contextsOf(files: readonly DicomFile[]): readonly ProposedContext[] {
  const pairs = new Map(
    files.map(({ sopClassUid, transferSyntaxUid }) => [
      `${sopClassUid} ${transferSyntaxUid}`,
      { abstractSyntax: sopClassUid, transferSyntaxes: [transferSyntaxUid] },
    ]),
  );
  return [...pairs.values()].slice(0, MAX_CONTEXTS);
}

async function* dataSetOf({ path, offset }: DicomFile): AsyncGenerator<Uint8Array> {
  // A chunk must not change once it was given: a stream without a pool of its own hands out new memory each time.
  yield* createReadStream(path, { start: offset, highWaterMark: CHUNK_BYTES }) as AsyncIterable<Uint8Array>;
}

/** PS3.4 B.2.3: stored, with a remark. */
function isWarning(status: number): boolean {
  return status >> 12 === 0xb;
}
