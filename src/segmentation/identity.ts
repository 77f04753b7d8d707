/**
 * Who a result is: UIDs that follow from what it was made from. Pure.
 *
 * The same source, model and label map give the same UIDs on any node at any time, so that a second run or a
 * second sending never makes a second object. Another revision of the series, model version, mapping or label map
 * gives others. When the model answered is no part of it: a run repeated after a crash answers later, and is the
 * same object all the same. What is tracked is the thing, not the finding of one day: its UID leaves out version and labels.
 */
import { createHash } from "node:crypto";
import { derivedUid, type InstanceUid, type SeriesUid, type Uid } from "../dicom/uid.ts";
import type { Frame } from "./frames.ts";
import type { SegInput } from "./input.ts";

export interface Identity {
  readonly sopInstanceUid: InstanceUid;
  readonly seriesUid: SeriesUid;
  readonly dimensionOrganizationUid: Uid;
}

/** Raised whenever the same input is written in another way: same UID means same bytes. */
const WRITING = "1";

/** @param packed  the Pixel Data; with the frames it holds the whole label map */
export function identityOf(input: SegInput, frames: readonly Frame[], packed: Uint8Array): Identity {
  const instances = input.allInstances.map(({ sopInstanceUid }) => sopInstanceUid);
  const made = [
    WRITING,
    input.source.seriesUid,
    String(input.revision),
    [...instances].sort().join("\\"),
    input.model.name,
    input.model.version,
    labelMapHash(input, frames, packed),
    mapping(input, frames),
  ];
  return {
    sopInstanceUid: derivedUid("segmentation", ...made),
    seriesUid: derivedUid("segmentation series", ...made),
    dimensionOrganizationUid: derivedUid("segmentation dimensions", ...made),
  };
}

/** The same for every run of a model over a series, in every version: a viewer can compare them. */
export function trackingUid(input: SegInput, name: string): Uid {
  return derivedUid("tracking", input.source.seriesUid, input.model.name, name);
}

function labelMapHash({ findings }: SegInput, frames: readonly Frame[], packed: Uint8Array): string {
  const places = frames.map(({ value, k }) => `${value}@${k}`).join(",");
  return createHash("sha256")
    .update(`${findings.grid.size.join("x")};${places};`)
    .update(packed)
    .digest("hex");
}

/** The definitions in use, written out in a fixed order of keys. */
function mapping({ segments }: SegInput, frames: readonly Frame[]): string {
  const values = new Set(frames.map(({ value }) => value));
  return JSON.stringify(
    [...values].map((value) => {
      const { label, color, trackingId, ...coded } = segments.get(value)!;
      const { category, type, modifier, anatomy, anatomyModifier } = coded;
      const codes = [category, type, modifier, anatomy, anatomyModifier].map(
        (code) => code && [code.scheme, code.value, code.meaning],
      );
      return [value, label, codes, color, trackingId];
    }),
  );
}
