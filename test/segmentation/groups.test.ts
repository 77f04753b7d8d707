import { expect, test } from "vitest";
import { perFrameGroups, sharedGroups } from "../../src/segmentation/groups.ts";
import type { SourceFrame } from "../../src/volume/volume.ts";
import { AXIAL, type Series, stack } from "./series.ts";

const size = { columns: 4, rows: 3 };
const cos = (degrees: number): number => Math.cos((degrees * Math.PI) / 180);
const sin = (degrees: number): number => Math.sin((degrees * Math.PI) / 180);

function measures(series: Series): unknown {
  return (sharedGroups(series.source)["PixelMeasuresSequence"] as readonly unknown[])[0];
}

test("pixel spacing keeps its order, rows first", () => {
  const series = stack({ ...size, slices: 3, orientation: AXIAL, step: [0, 0, 2], pixelSpacing: [0.7, 0.5] });
  expect(measures(series)).toEqual({
    SliceThickness: "2.5",
    SpacingBetweenSlices: "2",
    PixelSpacing: ["0.7", "0.5"],
  });
});

// A table moves along the patient while the gantry leans: 2 mm of travel are 2·cos(tilt) along the normal.
test.each([
  [15, "1.931852"],
  [-20, "1.879385"],
])("in a stack tilted by %i degrees the spacing is measured along the normal", (tilt, expected) => {
  const orientation = [1, 0, 0, 0, cos(tilt), sin(tilt)] as const;
  const series = stack({ ...size, slices: 5, orientation, step: [0, 0, 2] });
  expect(measures(series)).toMatchObject({ SpacingBetweenSlices: expected });
});

test("uneven slices and a single slice have no spacing between slices", () => {
  const uneven = stack({ ...size, slices: 5, offsets: [0, 2, 4, 7, 9] });
  const single = stack({ ...size, slices: 1, orientation: AXIAL, step: [0, 0, 2] });
  expect(measures(uneven)).toMatchObject({ SpacingBetweenSlices: undefined });
  expect(measures(single)).toMatchObject({ SpacingBetweenSlices: undefined });
});

test.each(["1.5 mm", "0", "-1.25", "1e999", ""])(
  "a thickness of %j, which is none, is left out",
  (sliceThickness) => {
    const series = stack({ ...size, slices: 2, orientation: AXIAL, step: [0, 0, 2] });
    const source = { ...series.source, sliceThickness };
    expect(measures({ ...series, source })).toMatchObject({ SliceThickness: undefined });
  },
);

// Devices have been seen to write more than the 16 characters of a decimal string.
test("the source's own text is repeated, and only what is too long is written anew", () => {
  const series = stack({ ...size, slices: 1, orientation: AXIAL, step: [0, 0, 2] });
  const orientation = ["1.000000", "-0", "0e0", "+0.0", "1", "0.00000000000000123456"];
  expect(sharedGroups({ ...series.source, orientation })["PlaneOrientationSequence"]).toEqual([
    { ImageOrientationPatient: ["1.000000", "-0", "0e0", "+0.0", "1", "1.23456e-15"] },
  ]);
});

test("a position has the same index in every segment, counted without gaps over those in use", () => {
  const { source } = stack({ ...size, slices: 8, orientation: AXIAL, step: [0, 0, 2] });
  const frames = [
    { value: 4, segment: 1, k: 2 },
    { value: 4, segment: 1, k: 7 },
    { value: 6, segment: 2, k: 5 },
    { value: 6, segment: 2, k: 7 },
  ];
  const indices = perFrameGroups("binary", frames, source).map(
    ({ FrameContentSequence: content }) => content,
  );
  expect(indices).toEqual([
    [{ DimensionIndexValues: [1, 1] }],
    [{ DimensionIndexValues: [1, 3] }],
    [{ DimensionIndexValues: [2, 2] }],
    [{ DimensionIndexValues: [2, 3] }],
  ]);
});

test("a frame of a multi-frame source is named by its number, an image of its own by none", () => {
  const { source } = stack({ ...size, slices: 2, orientation: AXIAL, step: [0, 0, 2] });
  const [first, second] = source.frames as readonly [SourceFrame, SourceFrame];
  const multi = { ...source, frames: [{ ...first, frameNumber: 12 }, second] };
  const frames = [0, 1].map((k) => ({ value: 1, segment: 1, k }));
  const [of12, ofNone] = perFrameGroups("binary", frames, multi);
  expect(of12).toMatchObject({
    DerivationImageSequence: [{ SourceImageSequence: [{ ReferencedFrameNumber: 12 }] }],
  });
  expect(ofNone).toMatchObject({
    DerivationImageSequence: [{ SourceImageSequence: [{ ReferencedFrameNumber: undefined }] }],
  });
});
