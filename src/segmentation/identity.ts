/**
 * Who a result is: UIDs that follow from what it was made from. Pure.
 *
 * The same source, model and label map give the same UIDs on any node at any time, so that a second run or a
 * second sending never makes a second object. Another revision of the series, model version, mapping or label map
 * gives others. When the model answered is no part of it: a run repeated after a crash answers later, and is the
 * same object all the same. What is tracked is the thing, not the finding of one day: its UID leaves out version and labels.
 *
 * Every object is a series of its own: OHIF shows the first object of a series of segmentations, and no other. Two
 * transfer syntaxes of the same pixels are one object.
 */
import { createHash } from "node:crypto";
import { derivedUid, type InstanceUid, type SeriesUid, type Uid } from "../dicom/uid.ts";
import type { Findings } from "../volume/volume.ts";
import type { SegInput } from "./input.ts";
import type { Plan } from "./plan.ts";

export interface Identity {
  readonly sopInstanceUid: InstanceUid;
  readonly seriesUid: SeriesUid;
  readonly dimensionOrganizationUid: Uid;
}

/** Raised whenever the same input is written in another way: same UID means same bytes. */
const WRITING = "2";

/**
 * @param plans       all objects of one form
 * @param lostVoxels  of which the object tells how many there are
 */
export function identitiesOf(
  input: SegInput,
  plans: readonly Plan[],
  lostVoxels: number,
): ReadonlyMap<Plan, Identity> {
  const instances = input.allInstances.map(({ sopInstanceUid }) => sopInstanceUid);
  const made = [
    WRITING,
    input.source.seriesUid,
    String(input.revision),
    [...instances].sort().join("\\"),
    input.model.name,
    input.model.version,
    contentHash(input, plans),
    mapping(input, plans),
    (input.findings.resampledFrom ?? []).join("\\"),
    JSON.stringify(input.reduction ?? {}, ["reduce", "threshold"]),
    String(lostVoxels),
  ];
  return new Map(
    plans.map((plan) => {
      const parts = [...made, plan.form, String(plan.part)];
      return [
        plan,
        {
          sopInstanceUid: derivedUid("segmentation", ...parts),
          seriesUid: derivedUid("segmentation series", ...parts),
          dimensionOrganizationUid: derivedUid("segmentation dimensions", ...parts),
        },
      ];
    }),
  );
}

/** The same for every run of a model over a series, in every version and form: a viewer can compare them. */
export function trackingUid(input: SegInput, name: string): Uid {
  return derivedUid("tracking", input.source.seriesUid, input.model.name, name);
}

/** Of the voxels of all frames, whatever form they get; the same for 8 and 16 bits that hold the same labels. */
function contentHash({ findings }: SegInput, plans: readonly Plan[]): string {
  const hash = createHash("sha256").update(findings.grid.size.join("x"));
  const [columns, rows] = findings.grid.size;
  const pixels = columns * rows;
  const frames = plans.flatMap((plan) => plan.frames);
  const isFractional = plans[0]?.form === "fractional";
  const voxels = isFractional ? probabilitiesOf(findings) : findings.layers;
  const slices = [...new Set(frames.map(({ k }) => k))].sort((a, b) => a - b);
  const isWide = plans.some(({ numbers }) => [...numbers.keys()].some((value) => value > 0xff));
  for (const [at, layer] of voxels.entries()) {
    hash.update(`;${at}:`);
    for (const k of slices) {
      const slice = layer.subarray(k * pixels, (k + 1) * pixels);
      hash.update(`${k},`).update(isWide ? bytesOf(new Uint16Array(slice)) : new Uint8Array(slice));
    }
  }
  return hash.digest("hex");
}

function probabilitiesOf({ probabilities }: Findings): readonly Uint8Array[] {
  return [...(probabilities ?? [])].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
}

function bytesOf(values: Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The definitions in use, written out in a fixed order of keys. */
function mapping({ segments }: SegInput, plans: readonly Plan[]): string {
  const values = plans.flatMap(({ numbers }) => [...numbers.keys()]).sort((a, b) => a - b);
  return JSON.stringify(
    values.map((value) => {
      const { label, color, trackingId, ...coded } = segments.get(value)!;
      const { category, type, modifier, anatomy, anatomyModifier } = coded;
      const codes = [category, type, modifier, anatomy, anatomyModifier].map(
        (code) => code && [code.scheme, code.value, code.meaning],
      );
      return [value, label, codes, color, trackingId];
    }),
  );
}
