/**
 * The Pixel Data of an object, made while it is written. Pure.
 *
 * Native: the frames one after another. RLE: one fragment for each frame behind a Basic Offset Table (PS3.5 A.4.2,
 * annex G). The table comes first and counts what follows, so frames are coded twice, once for their lengths;
 * all of them in memory would be larger than the whole rest.
 */
import { encapsulatedEnd, itemHead, pixelDataHead } from "../dicom/encode.ts";
import type { Findings, Labels } from "../volume/volume.ts";
import { packFrames } from "./bits.ts";
import type { Frame } from "./frames.ts";
import type { Wanted } from "./input.ts";
import { nativeBytes, type Plan } from "./plan.ts";
import { encodeRle, rleLimit } from "./rle.ts";

export interface PixelStream {
  /** Of the whole element, its head included. */
  readonly bytes: number;
  readonly chunks: () => Iterable<Uint8Array>;
}

export interface PixelSource {
  readonly findings: Findings;
  /** The layer in which a value stands. */
  readonly layerOf: (value: number) => number;
}

const HEAD_BYTES = 12;
const ITEM_HEAD_BYTES = 8;

export function pixelStream(
  plan: Plan,
  source: PixelSource,
  compression: Wanted["compression"],
): PixelStream {
  return compression === "rle" ? rle(plan, source) : native(plan, source);
}

function native(plan: Plan, source: PixelSource): PixelStream {
  const [columns, rows] = source.findings.grid.size;
  const length = nativeBytes(plan, columns * rows);
  const padding = length % 2;
  return {
    bytes: HEAD_BYTES + length + padding,
    *chunks() {
      yield pixelDataHead(plan.bits === 16 ? "OW" : "OB", length + padding);
      if (plan.bits === 1) {
        const { layers } = source.findings;
        yield* packFrames((value) => layers[source.layerOf(value)]!, plan.frames, columns * rows);
      } else for (const frame of plan.frames) yield frameBytes(plan, frame, source.findings);
      if (padding) yield new Uint8Array(1);
    },
  };
}

function rle(plan: Plan, { findings }: PixelSource): PixelStream {
  const [columns, rows] = findings.grid.size;
  const shape = { rows, columns, width: plan.bits === 16 ? 2 : 1 } as const;
  const out = new Uint8Array(rleLimit(shape));
  const lengths = plan.frames.map((frame) => encodeRle(frameBytes(plan, frame, findings), shape, out));
  const table = Buffer.alloc(4 * lengths.length);
  let offset = 0;
  for (const [at, length] of lengths.entries()) {
    table.writeUInt32LE(offset, 4 * at);
    offset += ITEM_HEAD_BYTES + length;
  }
  const end = encapsulatedEnd();
  return {
    bytes: HEAD_BYTES + ITEM_HEAD_BYTES + table.length + offset + end.length,
    *chunks() {
      yield pixelDataHead("OB", "undefined");
      yield itemHead(table.length);
      yield table;
      for (const frame of plan.frames) {
        const length = encodeRle(frameBytes(plan, frame, findings), shape, out);
        yield itemHead(length);
        yield out.subarray(0, length);
      }
      yield end;
    },
  };
}

/** The pixels of one frame, little endian; a view where they stand in memory as they are stored. */
function frameBytes(plan: Plan, { value, k }: Frame, { grid, layers, probabilities }: Findings): Uint8Array {
  const [columns, rows] = grid.size;
  const pixels = columns * rows;
  const of = (voxels: Labels): Labels => voxels.subarray(k * pixels, (k + 1) * pixels);
  if (plan.form === "fractional") return of(probabilities!.get(value)!) as Uint8Array;
  const slice = of(layers[plan.layer]!);
  if (slice instanceof Uint8Array) return slice;
  return plan.bits === 8
    ? Uint8Array.from(slice)
    : new Uint8Array(slice.buffer, slice.byteOffset, slice.byteLength);
}
