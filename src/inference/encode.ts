/**
 * What costs time in making a file for a model. Runs in a worker; results stand in shared memory.
 *
 * In:   voxels, and how the model wants them; parts of a file, and how they are to be compressed.
 * Out:  the bytes.
 * May:  read the files of the series, for dicom-zip.
 *
 * A number that the wanted type cannot hold is MODEL_INPUT_UNSUITABLE: nothing is clipped or rounded.
 */
import { readFile } from "node:fs/promises";
import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, crc32, createDeflate, createGzip, createZstdCompress } from "node:zlib";
import { NodeError } from "../base/errors.ts";
import { piecesOf } from "../volume/formats/gzip.ts";
import type { Voxels } from "../volume/volume.ts";
import type { Order } from "./arrange.ts";
import type { DataType } from "./model.ts";
import { zipOf } from "./zip-write.ts";

const PIECE_BYTES = 1024 * 1024;

const ARRAYS = { int16: Int16Array, uint16: Uint16Array, float32: Float32Array } as const;

export function typeOf(voxels: Voxels): DataType {
  if (voxels instanceof Float32Array) return "float32";
  return voxels instanceof Int16Array ? "int16" : "uint16";
}

/** Worker task: the voxels of a source in another order, as another type. */
export function arrangeVoxels(input: {
  readonly voxels: Voxels;
  readonly order: Order;
  readonly dtype: DataType;
}): Voxels {
  const { voxels, order, dtype } = input;
  const Numbers = ARRAYS[dtype];
  const arranged = new Numbers(
    new SharedArrayBuffer(voxels.length * Numbers.BYTES_PER_ELEMENT) as unknown as ArrayBuffer,
  );
  const { start, steps } = order;
  const [columns, rows, slices] = order.size;
  let at = 0;
  for (let k = 0; k < slices; k += 1) {
    for (let j = 0; j < rows; j += 1) {
      let from = start + j * steps[1] + k * steps[2];
      for (let i = 0; i < columns; i += 1, at += 1, from += steps[0]) arranged[at] = voxels[from]!;
    }
  }
  if (typeOf(voxels) !== dtype && dtype !== "float32") checkHeld(voxels, dtype);
  return arranged;
}

function checkHeld(voxels: Voxels, dtype: "int16" | "uint16"): void {
  const [least, most] = dtype === "int16" ? [-32768, 32767] : [0, 65535];
  for (const value of voxels) {
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    throw new NodeError("MODEL_INPUT_UNSUITABLE", `Model takes ${dtype}, and the volume holds ${value}`);
  }
}

/** Worker task: all `parts` compressed as one; one gzip member, which single-pass readers such as nibabel's want. */
export async function compressParts(input: {
  readonly parts: readonly Uint8Array[];
  readonly method: "gzip" | "zlib" | "zstd";
  readonly level: number;
}): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  await pipeline(
    Readable.from(piecesOf(input.parts)),
    compressor(input),
    async (compressed: AsyncIterable<Uint8Array>) => {
      for await (const chunk of compressed) chunks.push(chunk);
    },
  );
  return shared(chunks);
}

function compressor({ method, level }: { readonly method: string; readonly level: number }): Transform {
  const options = { level, chunkSize: PIECE_BYTES };
  if (method === "gzip") return createGzip(options);
  if (method === "zlib") return createDeflate(options);
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return createZstdCompress({ params, chunkSize: PIECE_BYTES });
}

/** Worker task: the images of a series as a zip without compression, under names that say nothing. */
export async function zipImages(paths: readonly string[]): Promise<Uint8Array> {
  const files: { name: string; bytes: Uint8Array; crc: number }[] = [];
  for (const [at, path] of paths.entries()) {
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new NodeError("STORAGE_FAILED", "Reading the spool failed", { cause });
    });
    files.push({ name: `${String(at + 1).padStart(6, "0")}.dcm`, bytes, crc: crc32(bytes) });
  }
  return shared(zipOf(files));
}

function shared(chunks: readonly Uint8Array[]): Uint8Array {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const whole = new Uint8Array(new SharedArrayBuffer(length));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
