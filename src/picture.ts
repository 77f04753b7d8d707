/**
 * Pictures of a series with its results over it, slice by slice, for the pages.
 *
 * In:   study and series; the spool, the results, the ledger.
 * Out:  what there is to see; and of one slice the values, and the bits of each segment.
 *
 * No volume is built: headers are read once, then each slice is decoded when it is looked at, in the threads. The
 * indexes of the last KEPT pictures are held.
 */
import { NodeError } from "./base/errors.ts";
import { task, type WorkerPool } from "./base/worker-pool.ts";
import type { Outbox } from "./delivery/outbox.ts";
import { TRANSFER_SYNTAX } from "./dicom/constants.ts";
import type { Spool } from "./intake/spool.ts";
import type { Db } from "./ledger/port.ts";
import { instancesOf } from "./ledger/series.ts";
import { type RunStory, type SeriesStory, storyOf } from "./ledger/story.ts";
import {
  type indexSegmentation,
  readFrame,
  type SegIndex,
  type ShownSegment,
} from "./segmentation/read-back.ts";
import { decodeSlice, readStack, type Slice } from "./volume/build.ts";
import type { Grid } from "./volume/volume.ts";

export interface PictureParts {
  readonly db: Db;
  readonly spool: Spool;
  readonly outbox: Outbox;
  readonly pool: WorkerPool;
}

export interface Picture {
  readonly columns: number;
  readonly rows: number;
  readonly slices: number;
  /** Millimetres. */
  readonly spacing: readonly [betweenColumns: number, betweenRows: number, betweenSlices: number];
  readonly modality?: string;
  readonly layers: readonly { readonly model: string; readonly segments: readonly ShownSegment[] }[];
}

/** Where a segment is in one slice: one bit for each pixel, rows from the top, the lowest bit first. */
export interface Mask {
  readonly layer: number;
  readonly segment: number;
  readonly bits: Uint8Array;
}

interface Opened {
  readonly picture: Picture;
  readonly grid: Grid;
  readonly stack: readonly Slice[];
  readonly layers: readonly (readonly SegIndex[])[];
}

const INDEX = task<typeof indexSegmentation>(
  import.meta.url,
  "./segmentation/read-back",
  "indexSegmentation",
);
/** An object of thousands of frames takes a second. */
const INDEX_TIMEOUT_MS = 60_000;
const KEPT = 4;
/** To be looked at, a stack may have holes: the slices that came are shown, one after another. */
const AS_IT_IS = { missingSlices: "repeat", unevenSpacing: "mean" } as const;

export class Pictures {
  readonly #parts: PictureParts;
  /** By series, its revision and its results; in order of their last use. */
  readonly #opened = new Map<string, Promise<Opened | undefined>>();

  constructor(parts: PictureParts) {
    this.#parts = parts;
  }

  /** @returns undefined where there is nothing to see: no such series, or it forms no volume */
  async describe(studyUid: string, seriesUid: string): Promise<Picture | undefined> {
    return (await this.#open(studyUid, seriesUid))?.picture;
  }

  /** @returns 16 bit values, signed, rows from the top; rounded where the series has fractions */
  async values(studyUid: string, seriesUid: string, slice: number): Promise<Int16Array | undefined> {
    const opened = await this.#open(studyUid, seriesUid);
    const found = opened?.stack[slice];
    if (!opened || !found) return undefined;
    const voxels = await decodeSlice(found, opened.grid, this.#parts);
    if ("kind" in voxels) return undefined;
    return Int16Array.from(voxels, (value) => Math.max(-32_768, Math.min(32_767, Math.round(value))));
  }

  async masks(studyUid: string, seriesUid: string, slice: number): Promise<readonly Mask[] | undefined> {
    const opened = await this.#open(studyUid, seriesUid);
    const found = opened?.stack[slice];
    if (!opened || !found) return undefined;
    const { sopInstanceUid } = found.image;
    const { frameNumber } = found.frame.place;
    const masks: Mask[] = [];
    for (const [layer, indexes] of opened.layers.entries())
      for (const index of indexes)
        for (const [at, frame] of index.frames.entries()) {
          if (frame.sopInstanceUid !== sopInstanceUid || frame.frameNumber !== frameNumber) continue;
          masks.push({ layer, segment: frame.segment, bits: await readFrame(index, at) });
        }
    return masks;
  }

  async #open(studyUid: string, seriesUid: string): Promise<Opened | undefined> {
    const story = await storyOf(this.#parts.db, studyUid);
    const series = story?.series.find((one) => one.seriesUid === seriesUid);
    if (!series) return undefined;
    const runs = series.runs.filter((run) => run.revision === series.revision && run.state === "done");
    const key = [
      series.id,
      series.revision,
      series.instances,
      ...runs.map(({ id, endedAt }) => `${id}@${endedAt}`),
    ].join(" ");
    const opening = this.#opened.get(key) ?? this.#read(series, runs);
    this.#opened.delete(key);
    this.#opened.set(key, opening);
    const [oldest] = this.#opened.keys();
    if (this.#opened.size > KEPT && oldest !== undefined) this.#opened.delete(oldest);
    try {
      return await opening;
    } catch (error) {
      this.#opened.delete(key);
      // What cannot be read is not there to be seen; the pipeline has said why, where it mattered.
      if (error instanceof NodeError) return undefined;
      throw error;
    }
  }

  async #read(series: SeriesStory, runs: readonly RunStory[]): Promise<Opened | undefined> {
    const { db, spool, outbox, pool } = this.#parts;
    const instances = await instancesOf(db, series.id);
    const files = instances.map(({ id, sopInstanceUid }) => ({ path: spool.pathOf(id), sopInstanceUid }));
    const found = await readStack(files, { pool, stack: AS_IT_IS });
    if (found.kind === "rejected") return undefined;
    const layers: SegIndex[][] = [];
    const shown: Picture["layers"][number][] = [];
    for (const { model, results } of runs) {
      const native = results.filter(
        (one) => one.form === "binary" && one.transferSyntaxUid === TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN,
      );
      const indexes = await Promise.all(
        native.map(({ file }) => pool.run(INDEX, outbox.pathOf(file), { timeoutMs: INDEX_TIMEOUT_MS })),
      );
      layers.push(indexes);
      shown.push({ model, segments: indexes.flatMap(({ segments }) => segments) });
    }
    const { grid, stack } = found;
    const [columns, rows] = grid.size;
    const { perColumn, perRow, perSlice } = grid.affine;
    const spacing = [Math.hypot(...perColumn), Math.hypot(...perRow), Math.hypot(...perSlice)] as const;
    const { modality } = series;
    const picture = {
      columns,
      rows,
      slices: stack.length,
      spacing,
      layers: shown,
      ...(modality !== undefined && { modality }),
    };
    return { picture, grid, stack, layers };
  }
}
