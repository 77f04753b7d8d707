/** What a file of the spool says of itself before its data set. */
import { open } from "node:fs/promises";
import { type Part10Meta, readPart10Meta } from "../dicom/part10.ts";

const HEAD_BYTES = 64 * 1024;

/** @throws NodeError DATA_SET_INVALID; what the file system throws */
export async function keptMeta(path: string): Promise<Part10Meta> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
  return readPart10Meta(buffer.subarray(0, bytesRead));
}
