import { expect, test } from "vitest";
import type { DataSet, Element, Tag } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { assertConformant } from "../../src/segmentation/conformance.ts";
import { encodedOne } from "./encoded.ts";
import { AXIAL, boxes, inputFor, labelMap, stack } from "./series.ts";

const series = stack({ columns: 12, rows: 9, slices: 3, orientation: AXIAL, step: [0, 0, 2] });
const input = inputFor(series, labelMap(series, boxes(series.size, 2)));
const { dataSet, pixelData } = read();
const pixelBytes = pixelData!.length!;

function read() {
  return readPart10(encodedOne(input).file);
}

/** The data set with one element changed or, at the end of a path of sequences, taken out. */
function changed(dataSet: DataSet, path: readonly string[], element?: Element): DataSet {
  const [keyword = "", ...rest] = path;
  const tag: Tag = tagOf(keyword);
  const elements = new Map(dataSet.elements);
  const old = elements.get(tag);
  if (rest.length > 0 && old && "items" in old) {
    const items = old.items.map((item, at) =>
      at === old.items.length - 1 ? changed(item, rest, element) : item,
    );
    elements.set(tag, { vr: "SQ", items });
  } else if (element) elements.set(tag, element);
  else elements.delete(tag);
  return { ...dataSet, elements };
}

const text = (vr: string, value: string): Element => ({ vr, bytes: Buffer.from(value) });

test("the object as encoded conforms", () => {
  expect(() => assertConformant(dataSet, pixelBytes)).not.toThrow();
});

test.each([
  ["SeriesNumber"],
  ["StudyInstanceUID"],
  ["DeviceSerialNumber"],
  ["ContentLabel"],
  ["LossyImageCompression"],
  ["ReferencedSeriesSequence > ReferencedInstanceSequence > ReferencedSOPInstanceUID"],
  ["SegmentSequence > SegmentLabel"],
  ["SegmentSequence > SegmentedPropertyTypeCodeSequence > CodeMeaning"],
  ["SegmentSequence > SegmentedPropertyTypeCodeSequence > CodeValue"],
  ["SegmentSequence > SegmentedPropertyTypeCodeSequence > CodingSchemeDesignator"],
  ["SegmentSequence > SegmentationAlgorithmIdentificationSequence > AlgorithmVersion"],
  ["SharedFunctionalGroupsSequence > PixelMeasuresSequence > PixelSpacing"],
  ["PerFrameFunctionalGroupsSequence > PlanePositionSequence > ImagePositionPatient"],
  ["PerFrameFunctionalGroupsSequence > DerivationImageSequence > DerivationCodeSequence"],
])("without %s it is not returned", (path) => {
  const keywords = path.split(" > ");
  for (const element of [undefined, text("LO", "")]) {
    const broken = changed(dataSet, keywords, element);
    expect(() => assertConformant(broken, pixelBytes)).toThrow(`Segmentation: ${path} has no value`);
  }
});

test("a code that is a URN needs neither Code Value nor scheme", () => {
  const type = ["SegmentSequence", "SegmentedPropertyTypeCodeSequence"];
  const bare = changed(changed(dataSet, [...type, "CodeValue"]), [...type, "CodingSchemeDesignator"]);
  const urn = changed(bare, [...type, "URNCodeValue"], text("UR", "urn:oid:1.2.3"));
  expect(() => assertConformant(bare, pixelBytes)).toThrow("CodeValue has no value");
  expect(() => assertConformant(urn, pixelBytes)).not.toThrow();
});

test("an attribute that may be empty must still be there", () => {
  expect(() => assertConformant(changed(dataSet, ["StudyID"]), pixelBytes)).toThrow("StudyID is absent");
  expect(() => assertConformant(changed(dataSet, ["StudyID"], text("SH", "")), pixelBytes)).not.toThrow();
});

test.each([
  ["ContentLabel", "CS", "lower case"],
  ["SegmentSequence > SegmentLabel", "LO", "x".repeat(65)],
  ["SeriesNumber", "IS", "1.5"],
  ["ContentDate", "DA", "2025-03-04"],
  [
    "PerFrameFunctionalGroupsSequence > PlanePositionSequence > ImagePositionPatient",
    "DS",
    "1\\2\\0.12345678901234567",
  ],
  ["PerFrameFunctionalGroupsSequence > PlanePositionSequence > ImagePositionPatient", "DS", "1\\2\\NaN"],
  ["SOPInstanceUID", "UI", "not a uid"],
  ["SegmentSequence > SegmentedPropertyCategoryCodeSequence > CodeValue", "SH", "12345678901234567"],
])("%s as %s does not hold what does not fit", (path, vr, value) => {
  const broken = changed(dataSet, path.split(" > "), text(vr, value));
  expect(() => assertConformant(broken, pixelBytes)).toThrow(`Segmentation: ${path} does not fit VR ${vr}`);
});

test("what the source got wrong does not keep a result from its study", () => {
  const broken = changed(dataSet, ["PatientSex"], text("CS", "männlich"));
  expect(() => assertConformant(broken, pixelBytes)).not.toThrow();
});

test("pixels and frames must agree", () => {
  expect(() => assertConformant(dataSet, pixelBytes + 2)).toThrow("PixelData of");
  expect(() => assertConformant(changed(dataSet, ["NumberOfFrames"], text("IS", "1")), pixelBytes)).toThrow(
    /NumberOfFrames is 1, described are \d/,
  );
});

test("a model without a version cannot be named, so its result is not returned", () => {
  const nameless = { ...input, model: { name: "mandible", version: "" } };
  expect(() => encodedOne(nameless)).toThrow(expect.objectContaining({ code: "SEG_INVALID" }));
});
