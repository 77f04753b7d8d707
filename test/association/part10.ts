/** Part 10 files cut by hand, PS3.10 7.1: what stands before the data set is not what these tests are about. */
import { readFile } from "node:fs/promises";
import type { InstanceUid, SopClassUid, TransferSyntaxUid } from "../../src/dicom/uid.ts";

export interface Part10File {
  readonly sopClassUid: SopClassUid;
  readonly sopInstanceUid: InstanceUid;
  readonly transferSyntaxUid: TransferSyntaxUid;
  readonly dataSet: Buffer;
}

export async function readPart10File(path: string): Promise<Part10File> {
  const file = await readFile(path);
  const end = 144 + file.readUInt32LE(140); // preamble, DICM, the group length with its value
  const uids = new Map<number, string>();
  for (let at = 144; at < end; ) {
    const isLong = ["OB", "UN"].includes(file.toString("latin1", at + 4, at + 6));
    const start = at + (isLong ? 12 : 8);
    const length = isLong ? file.readUInt32LE(at + 8) : file.readUInt16LE(at + 6);
    uids.set(file.readUInt16LE(at + 2), file.toString("latin1", start, start + length).replace(/\0$/, ""));
    at = start + length;
  }
  return {
    sopClassUid: uids.get(0x0002) as SopClassUid,
    sopInstanceUid: uids.get(0x0003) as InstanceUid,
    transferSyntaxUid: uids.get(0x0010) as TransferSyntaxUid,
    dataSet: file.subarray(end),
  };
}

/** In pieces of a size that fits nothing. */
export async function* pieces(bytes: Buffer, size = 10_007): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
