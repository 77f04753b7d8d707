/**
 * A result for a destination that takes Implicit VR Little Endian only. Runs in a worker: a head may hold thousands of
 * frames.
 *
 * In:   the path of a file in Explicit VR Little Endian.
 * Out:  its data set in Implicit VR up to and with the head of Pixel Data; and where the pixels lie, which are the
 *       same bytes in both.
 * May:  read the file.
 */
import { NodeError } from "../base/errors.ts";
import { task } from "../base/worker-pool.ts";
import { encodeImplicitHead } from "../dicom/encode.ts";
import { readPart10Header } from "../dicom/part10.ts";

export interface ImplicitHead {
  readonly head: Uint8Array;
  /** In the file. */
  readonly pixelOffset: number;
}

export const IMPLICIT_HEAD = task<typeof implicitHead>(import.meta.url, "./implicit", "implicitHead");

/** @throws NodeError DATA_SET_INVALID; what the file system throws */
export async function implicitHead(path: string): Promise<ImplicitHead> {
  const { dataSet, pixelData } = await readPart10Header(path);
  if (pixelData?.length === undefined)
    throw new NodeError("DATA_SET_INVALID", "Result: without native Pixel Data");
  return { head: encodeImplicitHead(dataSet, pixelData.length), pixelOffset: pixelData.offset };
}
