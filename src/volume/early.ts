/**
 * Building a volume while its slices still arrive, so that little is left to do after the last one.
 *
 * In:   files of a series as they come, in any order; at the end all files that the series consists of.
 * Out:  what buildVolume makes of them; or undefined, where this way is not open, and buildVolume has to do it.
 * May:  read the files, in the threads of the pool, fewer of them than there are.
 *
 * Each slice is decoded into the next place of one array, in the order of arrival. At the end the slices are put in
 * the order of the stack within that array: no copy of the volume is made, and a series that came in order is only
 * looked at. Whatever does not fit (several frames in a file, another size or format, values that are no whole
 * numbers, a file that turns out not to belong to the series) ends this way for the series: nothing is patched.
 */
import { Lane } from "../base/lane.ts";
import { task, type WorkerPool } from "../base/worker-pool.ts";
import { type Built, sourceOf, stackOf, TIMEOUTS } from "./build.ts";
import type { decodeFrames } from "./decode-frames.ts";
import type { orderSlices } from "./order-slices.ts";
import { isWhole, NO_RANGE, type Range, union, wholeVoxels } from "./pixels.ts";
import type { Image, ImageFile, readImages } from "./read-image.ts";

const READ_IMAGES = task<typeof readImages>(import.meta.url, "./read-image", "readImages");
const DECODE_FRAMES = task<typeof decodeFrames>(import.meta.url, "./decode-frames", "decodeFrames");
const ORDER_SLICES = task<typeof orderSlices>(import.meta.url, "./order-slices", "orderSlices");

/** Of address space; what no slice was written to takes no memory. */
const ROOM = { slices: 1024, bytes: 1024 ** 3 } as const;
/** Series that are built early at a time; the one that got nothing for longest gives way. */
const MOST_SERIES = 4;
/** More than these are left when the series is complete: then it is better built at once, with all threads. */
const MOST_LEFT = 32;

interface Slice {
  readonly image: Image;
  /** Its place in the array. */
  readonly at: number;
}

/** One series on its way. */
class EarlyVolume {
  readonly #pool: WorkerPool;
  readonly #lane: Lane;
  readonly #slices = new Map<string, Promise<Slice | undefined>>();
  /** Aborts when nobody works ahead any more: the series is complete, or is not built early. */
  readonly #ahead = new AbortController();
  #isDropped = false;
  #words: SharedArrayBuffer | undefined;
  #range: Range = NO_RANGE;
  #first: Image | undefined;

  constructor(pool: WorkerPool, lane: Lane) {
    this.#pool = pool;
    this.#lane = lane;
  }

  add(file: ImageFile): void {
    if (this.#isDropped || this.#slices.has(file.path)) return;
    this.#slices.set(file.path, this.#slice(file, this.#slices.size));
  }

  /** What a thread is doing is let end; its memory is free when nobody uses it any more. */
  drop(): void {
    this.#isDropped = true;
    this.#ahead.abort(new Error("The series is not built early"));
  }

  async finish(files: readonly ImageFile[]): Promise<Built | undefined> {
    const missing = files.filter(({ path }) => !this.#slices.has(path));
    if (missing.length > MOST_LEFT || this.#slices.size + missing.length > files.length) return undefined;
    this.#ahead.abort(new Error("The series is complete"));
    for (const file of missing) this.add(file);
    const all = await Promise.all(files.map(({ path }) => this.#slices.get(path)!));
    const slices = all.filter((slice) => slice !== undefined);
    const words = this.#words;
    if (slices.length < files.length || !words) return undefined;

    const arranged = stackOf(slices.map(({ image }) => image));
    if (arranged.kind === "rejected") return undefined;
    const { stack, order, grid, tiltDegrees } = arranged;
    const [columns, rows] = grid.size;
    const voxels = wholeVoxels(words, this.#range)?.subarray(0, columns * rows * slices.length);
    if (!voxels) return undefined;
    const from = order.map((slice) => slices[slice]!.at);
    if (from.some((at, k) => at !== k)) {
      const job = { words, sliceBytes: columns * rows * 2, from };
      await this.#pool.run(ORDER_SLICES, job, { timeoutMs: TIMEOUTS.orderMs });
    }
    return { kind: "volume", volume: { grid, voxels }, source: sourceOf(stack, undefined), tiltDegrees };
  }

  /** Cannot reject. @returns undefined, and gives up the series, if the file does not fit in */
  async #slice(file: ImageFile, at: number): Promise<Slice | undefined> {
    let isBegun = false;
    const begin = (): Promise<Slice | undefined> => {
      isBegun = true;
      return this.#decode(file, at);
    };
    try {
      const slice = await this.#lane.run(begin, { signal: this.#ahead.signal }).catch((error: unknown) => {
        if (isBegun || this.#isDropped) throw error;
        return begin(); // the series is complete: no more waiting for a turn
      });
      if (!slice) this.drop();
      return slice;
    } catch {
      this.drop(); // whoever builds it from the beginning says why
      return undefined;
    }
  }

  async #decode(file: ImageFile, at: number): Promise<Slice | undefined> {
    const [read] = await this.#pool.run(READ_IMAGES, [file], { timeoutMs: TIMEOUTS.headersMs });
    const image = read?.kind === "image" ? read.image : undefined;
    const [frame, more] = image?.frames ?? [];
    if (!image || !frame || more || !isWhole(frame.place.rescale)) return undefined;
    const voxels = this.#roomFor(image, at);
    if (!voxels) return undefined;
    const { path, format } = image;
    const frames = [{ chunks: frame.chunks, rescale: frame.place.rescale, slice: at, repeat: 0 }];
    const job = { path, format, frames, voxels, as: "whole" } as const;
    const timeoutMs = TIMEOUTS.frameMs * Math.ceil((format.rows * format.columns) / 1e6);
    this.#range = union(this.#range, await this.#pool.run(DECODE_FRAMES, job, { timeoutMs }));
    return { image, at };
  }

  /** The array, made for the size of the first image; undefined for another size, or when it is full. */
  #roomFor(image: Image, at: number): SharedArrayBuffer | undefined {
    const { rows, columns } = image.format;
    const bytes = rows * columns * 2;
    if (!this.#first) {
      this.#first = image;
      this.#words = new SharedArrayBuffer(Math.min(ROOM.slices, Math.floor(ROOM.bytes / bytes)) * bytes);
    }
    const { format } = this.#first;
    if (rows !== format.rows || columns !== format.columns) return undefined;
    return (at + 1) * bytes <= this.#words!.byteLength ? this.#words : undefined;
  }
}

/** The series that are on their way, by a key of the caller's. */
export class EarlyVolumes implements AsyncDisposable {
  readonly #pool: WorkerPool;
  readonly #lane: Lane;
  /** The one that got something last is the last. */
  readonly #series = new Map<string, EarlyVolume>();

  constructor(pool: WorkerPool) {
    this.#pool = pool;
    this.#lane = new Lane(Math.max(1, pool.size - 1)); // a thread stays for those who do not work ahead
  }

  add(key: string, file: ImageFile): void {
    const series = this.#series.get(key) ?? new EarlyVolume(this.#pool, this.#lane);
    this.#series.delete(key);
    this.#series.set(key, series);
    series.add(file);
    const [oldest] = this.#series.keys();
    if (this.#series.size > MOST_SERIES && oldest !== undefined) this.drop(oldest);
  }

  drop(key: string): void {
    this.#series.get(key)?.drop();
    this.#series.delete(key);
  }

  /**
   * The volume of a series that is complete; it is not kept here any longer.
   *
   * @param files  all that it consists of
   * @returns      undefined: it has to be built from the beginning
   * @throws       as buildVolume
   */
  async finish(key: string, files: readonly ImageFile[]): Promise<Built | undefined> {
    const series = this.#series.get(key);
    this.#series.delete(key);
    const built = await series?.finish(files);
    if (!built) series?.drop();
    return built;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const key of this.#series.keys()) this.drop(key);
    await this.#lane[Symbol.asyncDispose]();
  }
}
