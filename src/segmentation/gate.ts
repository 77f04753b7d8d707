/**
 * May this result leave? Pure.
 *
 * Identity: the header that lends its patient belongs to the series that the label map was made from. Geometry:
 * the label map lies on the source's own grid; it is never shifted or resampled here. Labels: each means
 * something. Not empty: a map without a label is an answer, "no finding", not an object.
 */
import { type DataSet, numberOf, stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { length, subtract, voxelToPatient } from "../volume/geometry.ts";
import type { Affine, Findings, Grid, Source } from "../volume/volume.ts";
import { findLabels, type Presence, packedBytes } from "./frames.ts";
import type { NoFinding, Refused } from "./input.ts";
import { sourceAffine } from "./plane.ts";
import type { Segments } from "./segment.ts";

/** OHIF holds labels in a byte; more segments come out wrong there. */
const SEGMENT_LIMIT = 255;
/** Of Pixel Data; far below the 4 GiB that a value field may hold, since it is held in memory once. */
const PIXEL_DATA_LIMIT_BYTES = 1024 * 1024 * 1024;
/** How far a corner may lie from where the source has it, in voxels: half a voxel is a shift. */
const CORNER_WITHIN_VOXELS = 0.1;

export interface GateInput {
  readonly source: Source;
  readonly sourceHeader: DataSet;
  readonly findings: Findings;
  readonly segments: Segments;
}

export type Passed = { readonly kind: "pass"; readonly presence: Presence } | NoFinding | Refused;

/** @returns with "pass", the labels found and their slices */
export function gate(input: GateInput): Passed {
  const stranger = otherSeries(input) ?? otherGrid(input);
  if (stranger) return stranger;
  const [columns, rows] = input.findings.grid.size;
  const presence = findLabels(input.findings.layers[0]!, columns * rows);
  if (presence.size === 0) return { kind: "no-finding" };
  return unfit(presence, input, columns * rows) ?? { kind: "pass", presence };
}

function otherSeries({ source, sourceHeader }: GateInput): Refused | undefined {
  for (const [keyword, uid] of [
    ["StudyInstanceUID", source.studyUid],
    ["SeriesInstanceUID", source.seriesUid],
  ] as const) {
    const found = stringOf(sourceHeader, tagOf(keyword));
    if (found !== uid) return refused("other-series", `${keyword} is ${found ?? "absent"}, not ${uid}`);
  }
  return undefined;
}

function otherGrid({ source, sourceHeader, findings: { grid, layers } }: GateInput): Refused | undefined {
  const size = [
    numberOf(sourceHeader, tagOf("Columns")) ?? 0,
    numberOf(sourceHeader, tagOf("Rows")) ?? 0,
    source.frames.length,
  ];
  const found = grid.size;
  if (size.some((count, axis) => count !== found[axis]))
    return refused("other-grid", `label map of ${found.join(" × ")} voxels, source of ${size.join(" × ")}`);
  const voxels = found[0] * found[1] * found[2];
  const odd = layers.find((labels) => labels.length !== voxels);
  if (odd) return refused("other-grid", `${odd.length} labels for ${voxels} voxels`);
  const expected = sourceAffine(source);
  if (!expected)
    return refused("other-grid", "the source's positions, orientation or spacing are no geometry");
  const off = largestShift(grid, expected);
  const allowed = CORNER_WITHIN_VOXELS * smallestStep(expected, grid);
  return off <= allowed
    ? undefined
    : refused(
        "other-grid",
        `a corner lies ${off.toFixed(3)} mm from the source's (${allowed.toFixed(3)} allowed)`,
      );
}

function unfit(presence: Presence, { segments }: GateInput, pixelsPerSlice: number): Refused | undefined {
  const unknown = [...presence.keys()].filter((value) => !segments.has(value));
  if (unknown.length > 0)
    return refused("unknown-label", `no segment is defined for label ${unknown.slice(0, 10).join(", ")}`);
  if (presence.size > SEGMENT_LIMIT)
    return refused("too-many-segments", `${presence.size} segments, at most ${SEGMENT_LIMIT} in one object`);
  const frames = [...presence.values()].reduce((sum, slices) => sum + slices.length, 0);
  const bytes = packedBytes(frames, pixelsPerSlice);
  return bytes > PIXEL_DATA_LIMIT_BYTES
    ? refused("too-large", `${frames} frames are ${bytes} bytes, at most ${PIXEL_DATA_LIMIT_BYTES}`)
    : undefined;
}

/** Over the eight corners of the grid, mm; NaN in an affine is infinitely far. */
function largestShift(grid: Grid, expected: Affine): number {
  const [columns, rows, slices] = grid.size;
  let largest = 0;
  for (const i of [0, columns - 1])
    for (const j of [0, rows - 1])
      for (const k of [0, slices - 1]) {
        const shift = length(
          subtract(voxelToPatient(grid.affine, [i, j, k]), voxelToPatient(expected, [i, j, k])),
        );
        largest = Number.isNaN(shift) ? Number.POSITIVE_INFINITY : Math.max(largest, shift);
      }
  return largest;
}

function smallestStep({ perColumn, perRow, perSlice }: Affine, { size }: Grid): number {
  const steps = [length(perColumn), length(perRow)];
  return Math.min(...steps, size[2] > 1 ? length(perSlice) : Number.POSITIVE_INFINITY);
}

function refused(reason: Refused["reason"], detail: string): Refused {
  return { kind: "refused", reason, detail };
}
