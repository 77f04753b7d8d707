/**
 * Which objects a result becomes, in one form. Pure.
 *
 * BINARY and FRACTIONAL: one object for at most 255 segments (OHIF holds labels in a byte; more come out wrong
 * there) and for what a value field should hold; its segments are numbered from 1 without gaps (PS3.3 C.8.20.2.3).
 * LABELMAP: one object for each layer, since labels in one never overlap; label values are kept.
 */
import { packedBytes } from "./bits.ts";
import { type Frame, listFrames, listSlices, type Presence } from "./frames.ts";
import type { Form } from "./input.ts";

export interface Plan {
  readonly form: Form;
  /** From 1. */
  readonly part: number;
  readonly parts: number;
  /** The label values described, ascending; the numbers of their segments by it. */
  readonly numbers: ReadonlyMap<number, number>;
  /** In the order they are stored. */
  readonly frames: readonly Frame[];
  /** (0028,0100) Bits Allocated. */
  readonly bits: 1 | 8 | 16;
  /** The layer of a label map; 0 where frames say by their value what they show. */
  readonly layer: number;
}

const SEGMENT_LIMIT = 255;
/** Of Pixel Data; many readers count in 31 bits, and RLE at worst doubles it. */
const PIXEL_DATA_LIMIT_BYTES = 2_000_000_000;

/**
 * @param layers          what each layer holds, of FRACTIONAL where its probabilities are not 0; a value without a
 *                        slice is described and has no frame
 * @param pixelsPerSlice  rows × columns
 */
export function planObjects(
  form: Form,
  layers: readonly Presence[],
  pixelsPerSlice: number,
): readonly Plan[] {
  const made =
    form === "labelmap"
      ? layers.flatMap((presence, layer) => (isHeld(presence) ? [labelMapPart(presence, layer)] : []))
      : groupsOf(form, layers, pixelsPerSlice).map((presence) => segmentsPart(form, presence));
  return Array.from(made, (part, at) => ({ ...part, form, part: at + 1, parts: made.length }));
}

/** Length of Pixel Data without compression, padding apart. */
export function nativeBytes({ bits, frames }: Pick<Plan, "bits" | "frames">, pixelsPerSlice: number): number {
  return bits === 1
    ? packedBytes(frames.length, pixelsPerSlice)
    : frames.length * pixelsPerSlice * (bits / 8);
}

export function isTooLarge(plan: Plan, pixelsPerSlice: number): boolean {
  return nativeBytes(plan, pixelsPerSlice) > PIXEL_DATA_LIMIT_BYTES;
}

type Part = Omit<Plan, "form" | "part" | "parts">;

function labelMapPart(presence: Presence, layer: number): Part {
  const held = [...presence].filter(([, slices]) => slices.length > 0).map(([value]) => value);
  return {
    numbers: new Map([...presence.keys()].map((value) => [value, value])),
    frames: listSlices(presence),
    bits: Math.max(...held) > 0xff ? 16 : 8,
    layer,
  };
}

function segmentsPart(form: Form, presence: Presence): Part {
  const numbers = new Map([...presence.keys()].map((value, at) => [value, at + 1]));
  return { numbers, frames: listFrames(presence), bits: form === "binary" ? 1 : 8, layer: 0 };
}

/** The values of all layers, ascending, in groups that fit into one object. */
function groupsOf(form: Form, layers: readonly Presence[], pixelsPerSlice: number): readonly Presence[] {
  const bits = form === "binary" ? 1 : 8;
  const groups: Map<number, readonly number[]>[] = [];
  let frames = 0;
  for (const [value, slices] of layers.flatMap((layer) => [...layer]).sort(([a], [b]) => a - b)) {
    frames += slices.length;
    const group = groups.at(-1);
    const isFull =
      !group || group.size >= SEGMENT_LIMIT || (frames * pixelsPerSlice * bits) / 8 > PIXEL_DATA_LIMIT_BYTES;
    if (!isFull) group.set(value, slices);
    else {
      frames = slices.length;
      groups.push(new Map([[value, slices]]));
    }
  }
  return groups.filter(isHeld);
}

/** Segments without any voxel are described beside others, but make no object. */
function isHeld(presence: Presence): boolean {
  return [...presence.values()].some((slices) => slices.length > 0);
}
