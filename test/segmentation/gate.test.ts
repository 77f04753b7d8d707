import { expect, test } from "vitest";
import { fromKeywords } from "../../src/dicom/build.ts";
import { type GateInput, gate } from "../../src/segmentation/gate.ts";
import type { Findings, Vector } from "../../src/volume/volume.ts";
import { AXIAL, boxes, findingsOf, inputFor, labelMap, segmentsFor, stack } from "./series.ts";

const series = stack({ columns: 12, rows: 9, slices: 4, orientation: AXIAL, step: [0, 0, 2] });
const map = labelMap(series, boxes(series.size, 3));
const found = findingsOf(map);

function verdict(changes: Partial<GateInput>): string {
  const passed = gate({ ...inputFor(series, map), ...changes });
  return passed.kind === "refused" ? `${passed.reason}: ${passed.detail}` : passed.kind;
}

function shifted(by: Vector): Findings {
  const { affine } = map.grid;
  const origin = affine.origin.map((mm, axis) => mm + by[axis]!) as unknown as Vector;
  return { ...found, grid: { ...map.grid, affine: { ...affine, origin } } };
}

test("a map on the source's own grid passes with the labels it holds", () => {
  const passed = gate(inputFor(series, map));
  expect(passed.kind === "pass" && [...passed.layers[0]!.keys()]).toEqual([1, 2, 3]);
});

test("a map without any label is no finding", () => {
  expect(verdict({ findings: findingsOf(labelMap(series, () => 0)) })).toBe("no-finding");
});

test("a header of another series or study lends no patient", () => {
  const other = stack({ columns: 12, rows: 9, slices: 4, orientation: AXIAL, step: [0, 0, 2], seed: "b" });
  expect(verdict({ sourceHeader: other.header })).toMatch(/^other-series: StudyInstanceUID is 2\.25\./);
  const sameStudy = fromKeywords({ StudyInstanceUID: series.source.studyUid });
  expect(verdict({ sourceHeader: sameStudy })).toMatch(/^other-series: SeriesInstanceUID is absent/);
});

test("a header of another frame of reference, or another patient, is another series", () => {
  const { frameOfReferenceUid: _, patientId: __, ...bare } = series.source;
  const patientId = "P-1";
  expect(verdict({ source: { ...bare, patientId } })).toMatch(
    /^other-frame-of-reference: FrameOfReferenceUID is 2\.25\.\d+, not absent$/,
  );
  expect(verdict({ source: { ...bare, patientId, frameOfReferenceUid: "1.2.3" } })).toMatch(/, not 1\.2\.3$/);
  expect(verdict({ source: { ...series.source, patientId: "P-2" } })).toBe(
    "other-patient: PatientID is not that of the series",
  );
});

test("another number of voxels is another grid", () => {
  expect(verdict({ findings: { ...found, grid: { ...map.grid, size: [9, 12, 4] } } })).toBe(
    "other-grid: label map of 9 × 12 × 4 voxels, source of 12 × 9 × 4",
  );
  expect(verdict({ findings: { ...found, layers: [map.labels.subarray(1)] } })).toBe(
    "other-grid: 431 labels for 432 voxels",
  );
});

test("the same size at another place is refused: half a voxel along a row, a column, a step", () => {
  expect(verdict({ findings: shifted([0.25, 0, 0]) })).toMatch(/^other-grid: a corner lies 0\.250 mm/);
  expect(verdict({ findings: shifted([0, 0.35, 0]) })).toMatch(/^other-grid: a corner lies 0\.350 mm/);
  expect(verdict({ findings: shifted([0, 0, 1]) })).toMatch(/^other-grid: a corner lies 1\.000 mm/);
});

test("a flipped or turned map of the same size is refused", () => {
  const { affine } = map.grid;
  const [x, y, z] = affine.perSlice;
  const turned = { ...found, grid: { ...map.grid, affine: { ...affine, perSlice: [-x, -y, -z] as const } } };
  expect(verdict({ findings: turned })).toMatch(/^other-grid: a corner lies 12\.000 mm/);
  const swapped = { ...affine, perColumn: affine.perRow, perRow: affine.perColumn };
  expect(verdict({ findings: { ...found, grid: { ...map.grid, affine: swapped } } })).toMatch(/^other-grid/);
});

test("a place that is not a number is refused", () => {
  expect(verdict({ findings: shifted([Number.NaN, 0, 0]) })).toMatch(/^other-grid/);
  const source = { ...series.source, orientation: ["1", "0", "0", "x", "1", "0"] };
  expect(verdict({ source })).toMatch(/^other-grid: the source's positions/);
});

test("single precision of a NIfTI header is no shift", () => {
  expect(verdict({ findings: shifted([4e-5, -4e-5, 4e-5]) })).toBe("pass");
});

test("a label that means nothing is refused by its value", () => {
  expect(verdict({ segments: segmentsFor([1, 3]) })).toBe("unknown-label: no segment is defined for label 2");
});

test("a segment without voxels is no reason to hold the others back", () => {
  expect(verdict({ segments: segmentsFor([1, 2, 3, 4]) })).toBe("pass");
});

test("value 0 is background, even where the config gives it a meaning", () => {
  const segments = new Map([...segmentsFor([1, 2, 3]), [0, segmentsFor([1]).get(1)!] as const]);
  expect(verdict({ segments })).toBe("pass");
  expect(verdict({ segments, findings: findingsOf(labelMap(series, () => 0)) })).toBe("no-finding");
});

test("a label that stands in two layers is refused: its voxels could not be told apart", () => {
  const second = labelMap(series, (i) => (i === 0 ? 2 : 0)).labels;
  expect(verdict({ findings: { ...found, layers: [map.labels, second] } })).toBe(
    "repeated-label: in several layers stands label 2",
  );
});

test("a probability map of another size is another grid, and one of an unknown label is refused", () => {
  const of = (value: number, length: number): Findings => ({
    ...found,
    probabilities: new Map([[value, new Uint8Array(length)]]),
  });
  expect(verdict({ findings: of(1, 431) })).toBe("other-grid: 431 labels for 432 voxels");
  expect(verdict({ findings: of(9, 432) })).toBe("unknown-label: no segment is defined for label 9");
  expect(verdict({ findings: of(0, 432) })).toBe("pass");
});

test("an image sent back as its label map is too large: the frames of all its values are counted, not made", () => {
  const noise = stack({ columns: 41, rows: 40, slices: 62, orientation: AXIAL, step: [0, 0, 2] });
  const each = labelMap(noise, (i, j) => 1 + i + 41 * j, 16);
  const passed = gate({ ...inputFor(noise, each), onUnknownLabel: "generic", segments: new Map() });
  expect(passed).toEqual({
    kind: "refused",
    reason: "too-large",
    detail: "1640 labels need 101680 frames of 205 bytes: 100000 frames and 4000000000 bytes allowed",
  });
});

test("labels on missing slices alone are no finding that may pass", () => {
  const frames = series.source.frames.toSpliced(2, 1);
  const source = { ...series.source, frames, slices: [0, 1, 3] };
  const on = (slice: number) => findingsOf(labelMap(series, (i, _, k) => (i < 2 && k === slice ? 1 : 0)));
  expect(verdict({ source, findings: on(1) })).toBe("pass");
  expect(verdict({ source, findings: on(2) })).toBe(
    "other-grid: all 18 labelled voxels lie on slices that are missing in the series",
  );
});
