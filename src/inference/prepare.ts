/**
 * What all models of one series share: the volume and its encoded forms, each made once.
 *
 * In:   a volume in shared memory, and where its images lie.
 * Out:  files and tensors in the forms that requests name; raw voxels are never copied where the volume is held as
 *       it is wanted, what has to be made is made in a worker, once per form.
 *
 * A form that could not be made is forgotten, so that the next request tries again. Disposing forgets all of
 * them, and ends what is still being made.
 */
import { task, type WorkerPool } from "../base/worker-pool.ts";
import { metaImageHeader } from "../volume/formats/metaimage-write.ts";
import { niftiHeader } from "../volume/formats/nifti-write.ts";
import { npyHeader } from "../volume/formats/npy-write.ts";
import { nrrdHeader } from "../volume/formats/nrrd-write.ts";
import type { Grid, Volume, Voxels } from "../volume/volume.ts";
import { type Arrangement, arrangementOf, shapeOf } from "./arrange.ts";
import type { digestOf } from "./cache.ts";
import { type arrangeVoxels, type compressParts, typeOf, type zipImages } from "./encode.ts";
import type { DataType, FileShape, Orientation } from "./model.ts";
import { type Bytes, bytesOf, type EncodedFile } from "./request.ts";

export interface PrepareOptions {
  /** Whose volume it is; without it no answer about it is kept. */
  readonly study?: string;
  /** Of the images of the series, for models that want them as they came. */
  readonly paths?: readonly string[];
}

export interface PreparedVolume extends Disposable {
  readonly volume: Volume;
  /** Whose volume it is. */
  readonly study?: string;
  /** Of its voxels; made once. */
  readonly digest: () => Promise<string>;
  /** @throws MODEL_INPUT_UNSUITABLE; STORAGE_FAILED; WORKER_DIED */
  file(shape: FileShape): Promise<EncodedFile>;
  /** The voxels alone; see file for what is thrown. */
  voxels(shape: VoxelShape): Promise<Bytes>;
}

interface VoxelShape {
  readonly dtype?: DataType;
  readonly layout: string;
  readonly orientation: Orientation;
}

const DIGEST = task<typeof digestOf>(import.meta.url, "./cache", "digestOf");
const ARRANGE = task<typeof arrangeVoxels>(import.meta.url, "./encode", "arrangeVoxels");
const COMPRESS = task<typeof compressParts>(import.meta.url, "./encode", "compressParts");
const ZIP = task<typeof zipImages>(import.meta.url, "./encode", "zipImages");

/** Voxels turned into float32 at a time: 1 MiB of them. */
const CONVERTED_AT_ONCE = 256 * 1024;

export function prepareVolume(
  volume: Volume,
  pool: WorkerPool,
  { paths = [], study }: PrepareOptions = {},
): PreparedVolume {
  const { voxels, grid } = volume;
  const made = new Map<string, Promise<unknown>>();
  const released = new AbortController();
  const { signal } = released;

  function once<T>(key: string, make: () => Promise<T>): Promise<T> {
    const known = made.get(key) as Promise<T> | undefined;
    if (known) return known;
    const making = make();
    made.set(key, making);
    making.catch(() => made.delete(key));
    return making;
  }

  async function arranged({ order, isNative }: Arrangement, dtype: DataType): Promise<Voxels> {
    if (isNative && dtype === typeOf(voxels)) return voxels;
    const key = `voxels ${JSON.stringify(order)} ${dtype}`;
    return once(key, () => pool.run(ARRANGE, { voxels, order, dtype }, { signal }));
  }

  /** Float32 of an integer volume is made on the way out: no second volume is held. */
  async function stream(target: Arrangement, dtype: DataType): Promise<Bytes> {
    const canStream = dtype === "float32" && typeOf(voxels) !== "float32" && target.isNative;
    return canStream ? asFloats(voxels) : bytesOf([viewOf(await arranged(target, dtype))]);
  }

  function compressed(parts: readonly Uint8Array[], method: "gzip" | "zlib" | "zstd", shape: FileShape) {
    const { format, dtype, layout, orientation, level } = shape;
    const key = JSON.stringify(["compressed", format, method, level, dtype, layout, orientation]);
    return once(key, () => pool.run(COMPRESS, { parts, method, level }, { signal }));
  }

  async function file(shape: FileShape): Promise<EncodedFile> {
    const { format, compression, dtype = typeOf(voxels) } = shape;
    if (format === "dicom-zip") {
      const zip = await once("zip", () => pool.run(ZIP, paths, { signal }));
      return { ...bytesOf([zip]), mediaType: "application/zip" };
    }
    const target = arrangementOf(grid, shape);
    if (compression === "none") {
      const data = await stream(target, dtype);
      const header = headerOf(shape, target.grid, dtype, undefined);
      return { ...joined(header, data), mediaType: "application/octet-stream" };
    }
    const data = viewOf(await arranged(target, dtype));
    if (format === "nrrd" || format === "metaimage") {
      const inside = await compressed([data], format === "nrrd" ? "gzip" : "zlib", shape);
      const header = headerOf(shape, target.grid, dtype, inside.length);
      return { ...bytesOf([header, inside]), mediaType: "application/octet-stream" };
    }
    const header = headerOf(shape, target.grid, dtype, undefined);
    const whole = await compressed([header, data], compression, shape);
    return { ...bytesOf([whole]), mediaType: `application/${compression}` };
  }

  return {
    volume,
    ...(study !== undefined && { study }),
    digest: () => once("digest", () => pool.run(DIGEST, voxels, { signal })),
    file,
    voxels: ({ dtype = typeOf(voxels), ...shape }) => stream(arrangementOf(grid, shape), dtype),
    [Symbol.dispose]() {
      made.clear();
      released.abort(new Error("The volume was released"));
    },
  };
}

/** @param compressedBytes  of data that are compressed within the file */
function headerOf(
  { format, layout }: FileShape,
  grid: Grid,
  type: DataType,
  compressedBytes: number | undefined,
): Uint8Array {
  switch (format) {
    case "nifti":
      return niftiHeader(grid, new ARRAYS[type](0));
    case "nrrd":
      return nrrdHeader(grid, { type, encoding: compressedBytes === undefined ? "raw" : "gzip" });
    case "metaimage":
      return metaImageHeader(grid, { type, ...(compressedBytes !== undefined && { compressedBytes }) });
    case "npy":
      return npyHeader(shapeOf(grid, layout), type);
    case "raw":
    case "dicom-zip":
      return new Uint8Array();
  }
}

const ARRAYS = { int16: Int16Array, uint16: Uint16Array, float32: Float32Array } as const;

function joined(header: Uint8Array, data: Bytes): Bytes {
  return {
    length: header.length + data.length,
    *chunks() {
      if (header.length > 0) yield header;
      yield* data.chunks();
    },
  };
}

function asFloats(voxels: Voxels): Bytes {
  return {
    length: 4 * voxels.length,
    *chunks() {
      for (let at = 0; at < voxels.length; at += CONVERTED_AT_ONCE)
        yield new Uint8Array(new Float32Array(voxels.subarray(at, at + CONVERTED_AT_ONCE)).buffer);
    },
  };
}

function viewOf({ buffer, byteOffset, byteLength }: Voxels): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
