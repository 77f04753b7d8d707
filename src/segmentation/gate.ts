/**
 * May this result leave? Pure.
 *
 * Identity: the header that lends its patient belongs to the series that the label map was made from. Geometry:
 * the label map lies on the source's own grid; it is never shifted or resampled here. Labels: each means
 * something, and stands in one layer. Size: what would fill disks and archives is the image itself, sent back as its
 * label map. Not empty: a map without a label is an answer, "no finding", not an object.
 */
import { type DataSet, numberOf, stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { length, subtract, voxelToPatient } from "../volume/geometry.ts";
import type { Affine, Findings, Grid, Labels, Source } from "../volume/volume.ts";
import { findLabels, type Presence } from "./frames.ts";
import type { NoFinding, Refused } from "./input.ts";
import { imagesBySlice, slicesOf, sourceAffine } from "./plane.ts";
import { definitionOf, type UnknownLabelPolicy } from "./policy.ts";
import type { Segments } from "./segment.ts";

/** How far a corner may lie from where the source has it, in voxels: half a voxel is a shift. */
const CORNER_WITHIN_VOXELS = 0.1;
const LABELS_TOLD = 10;
/** Of all objects, one bit for a pixel: 40 labels on each of 600 slices are 24,000 frames. */
const LARGEST = { frames: 100_000, bytes: 4_000_000_000 } as const;

export interface GateInput {
  readonly source: Source;
  readonly sourceHeader: DataSet;
  readonly findings: Findings;
  readonly segments: Segments;
  readonly onUnknownLabel: UnknownLabelPolicy;
}

export type Passed =
  | {
      readonly kind: "pass";
      /** By layer, the labels found and their slices; those only that the series has. */
      readonly layers: readonly Presence[];
      /** Those of the model, and a meaning for each label that it does not define. */
      readonly segments: Segments;
      readonly unknown: readonly number[];
      /** Labelled voxels on slices that the series does not have. */
      readonly lostVoxels: number;
    }
  | NoFinding
  | Refused;

export function gate(input: GateInput): Passed {
  const stranger = otherSeries(input) ?? otherGrid(input);
  if (stranger) return stranger;
  const { source, findings } = input;
  const [columns, rows] = findings.grid.size;
  const images = imagesBySlice(source);
  const found = findings.layers.map((labels) => findLabels(labels, columns * rows));
  const layers = found.map((presence) => onSlices(presence, (k) => images.has(k)));
  const lostVoxels = source.slices ? countLost(findings, images) : 0;
  if (layers.every(({ size }) => size === 0)) {
    return lostVoxels === 0
      ? { kind: "no-finding" }
      : refused(
          "other-grid",
          `all ${lostVoxels} labelled voxels lie on slices that are missing in the series`,
        );
  }
  const excess = tooLarge(layers, columns * rows);
  if (excess) return excess;
  const meant = meanings(layers, input);
  return "kind" in meant ? meant : { kind: "pass", layers, lostVoxels, ...meant };
}

/** Is the header one of the series, the study, the patient that the voxels came from? */
function otherSeries({ source, sourceHeader }: GateInput): Refused | undefined {
  const held = (keyword: string): string | undefined => stringOf(sourceHeader, tagOf(keyword));
  for (const [keyword, uid] of [
    ["StudyInstanceUID", source.studyUid],
    ["SeriesInstanceUID", source.seriesUid],
  ] as const) {
    const found = held(keyword);
    if (found !== uid) return refused("other-series", `${keyword} is ${found ?? "absent"}, not ${uid}`);
  }
  const space = held("FrameOfReferenceUID");
  if (space !== source.frameOfReferenceUid)
    return refused(
      "other-frame-of-reference",
      `FrameOfReferenceUID is ${space ?? "absent"}, not ${source.frameOfReferenceUid ?? "absent"}`,
    );
  return held("PatientID") === source.patientId
    ? undefined
    : refused("other-patient", "PatientID is not that of the series");
}

function otherGrid({ source, sourceHeader, findings }: GateInput): Refused | undefined {
  const { grid, layers, probabilities } = findings;
  const size = [
    numberOf(sourceHeader, tagOf("Columns")) ?? 0,
    numberOf(sourceHeader, tagOf("Rows")) ?? 0,
    slicesOf(source),
  ];
  const found = grid.size;
  if (size.some((count, axis) => count !== found[axis]))
    return refused("other-grid", `label map of ${found.join(" × ")} voxels, source of ${size.join(" × ")}`);
  const voxels = found[0] * found[1] * found[2];
  const odd = [...layers, ...(probabilities?.values() ?? [])].find((values) => values.length !== voxels);
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

/** Counted before a frame is made: noise has a frame for nearly every label on nearly every slice. */
function tooLarge(layers: readonly Presence[], pixelsPerSlice: number): Refused | undefined {
  const held = layers.flatMap((presence) => [...presence.values()]);
  const frames = held.reduce((sum, slices) => sum + slices.length, 0);
  const bytes = Math.ceil(pixelsPerSlice / 8);
  if (frames <= LARGEST.frames && frames * bytes <= LARGEST.bytes) return undefined;
  return refused(
    "too-large",
    `${held.length} labels need ${frames} frames of ${bytes} bytes: ${LARGEST.frames} frames and ${LARGEST.bytes} bytes allowed`,
  );
}

function meanings(
  layers: readonly Presence[],
  { segments, findings, onUnknownLabel }: GateInput,
): Pick<Extract<Passed, { kind: "pass" }>, "segments" | "unknown"> | Refused {
  const values = layers.flatMap((presence) => [...presence.keys()]);
  const distinct = new Set(values);
  if (distinct.size < values.length) {
    const repeated = values.filter((value, at) => values.indexOf(value) !== at);
    return refused("repeated-label", `in several layers stands label ${told(repeated)}`);
  }
  const found = new Set([...distinct, ...(findings.probabilities?.keys() ?? [])]);
  const known = new Map(segments);
  const unknown: number[] = [];
  const undefinedOnes: number[] = [];
  for (const value of [...found].sort((a, b) => a - b)) {
    const meaning = definitionOf(value, segments, onUnknownLabel);
    if (meaning.kind === "undefined") undefinedOnes.push(value);
    if (meaning.kind !== "generic") continue;
    unknown.push(value);
    known.set(value, meaning.definition);
  }
  return undefinedOnes.length > 0
    ? refused("unknown-label", `no segment is defined for label ${told(undefinedOnes)}`)
    : { segments: known, unknown };
}

function told(values: readonly number[]): string {
  return values.slice(0, LABELS_TOLD).join(", ");
}

function onSlices(presence: Presence, exists: (k: number) => boolean): Presence {
  const kept = [...presence].map(([value, slices]) => [value, slices.filter(exists)] as const);
  return new Map(kept.filter(([, slices]) => slices.length > 0));
}

function countLost({ grid, layers }: Findings, images: ReadonlyMap<number, unknown>): number {
  const [columns, rows, slices] = grid.size;
  const pixels = columns * rows;
  const lacking = Array.from({ length: slices }, (_, k) => k).filter((k) => !images.has(k));
  return layers
    .flatMap((labels) => lacking.map((k) => labels.subarray(k * pixels, (k + 1) * pixels)))
    .reduce((sum, slice) => sum + countLabelled(slice), 0);
}

function countLabelled(slice: Labels): number {
  let count = 0;
  for (let at = 0; at < slice.length; at++) if (slice[at] !== 0) count++;
  return count;
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
