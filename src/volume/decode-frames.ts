/**
 * Decoding frames of one file into the voxels of a volume. A task of the worker pool.
 *
 * In:   a file, its format, and for each frame where its bytes are and which slice it becomes.
 * Out:  voxels written into shared memory; the range of the values written.
 * May:  read the file.
 */
import { NodeError } from "../base/errors.ts";
import { type Body, openBody } from "./body.ts";
import { decodeFrame, type PixelFormat } from "./decode.ts";
import type { Chunk } from "./encapsulated.ts";
import { NO_RANGE, type Range, type Rescale, union, writeFloat, writeWhole } from "./pixels.ts";
import { storageFailed } from "./read-image.ts";

export interface FrameJob {
  readonly chunks: readonly Chunk[];
  readonly rescale: Rescale;
  /** Index of the slice it becomes. */
  readonly slice: number;
  /** Of so many missing slices behind it, too. */
  readonly repeat: number;
}

export interface FramesJob {
  readonly path: string;
  readonly format: PixelFormat;
  readonly frames: readonly FrameJob[];
  readonly voxels: SharedArrayBuffer;
  /** whole: 16 bit words, modulo 65536; float: 32 bit. See pixels.ts. */
  readonly as: "whole" | "float";
}

/** @throws NodeError PIXELS_UNDECODABLE, DATA_SET_INVALID, STORAGE_FAILED */
export async function decodeFrames({ path, format, frames, voxels, as }: FramesJob): Promise<Range> {
  const { signed } = format;
  const pixels = format.rows * format.columns;
  let range: Range = NO_RANGE;
  try {
    using body = openBody(path, format.transferSyntaxUid);
    for (const { chunks, rescale, slice, repeat } of frames) {
      const samples = await decodeFrame(bytesOf(body, chunks), format);
      if (as === "float") {
        const target = new Float32Array(voxels, slice * pixels * 4, pixels);
        writeFloat(target, samples, { ...rescale, signed });
        fillBehind(new Float32Array(voxels, slice * pixels * 4, (1 + repeat) * pixels), pixels);
      } else {
        const target = new Uint16Array(voxels, slice * pixels * 2, pixels);
        range = union(range, writeWhole(target, samples, { ...rescale, signed }));
        fillBehind(new Uint16Array(voxels, slice * pixels * 2, (1 + repeat) * pixels), pixels);
      }
    }
    return range;
  } catch (error) {
    throw storageFailed(error);
  }
}

/** The first so many voxels, again and again to the end. */
function fillBehind(slices: Uint16Array | Float32Array, pixels: number): void {
  for (let at = pixels; at < slices.length; at += pixels) slices.copyWithin(at, 0, pixels);
}

/** One buffer per thread, used again for every frame: decoders keep no bytes they were given. */
let scratch = new Uint8Array(1 << 20);

function bytesOf(body: Body, chunks: readonly Chunk[]): Uint8Array {
  const total = chunks.reduce((sum, { length }) => sum + length, 0);
  if (total > scratch.length) scratch = new Uint8Array(total);
  let at = 0;
  for (const { offset, length } of chunks) {
    const found = body.readInto(scratch.subarray(at, at + length), offset);
    if (found < length) throw new NodeError("PIXELS_UNDECODABLE", `Frame: ${found} of ${length} bytes`);
    at += length;
  }
  return scratch.subarray(0, total);
}
