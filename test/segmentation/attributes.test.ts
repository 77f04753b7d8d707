/** What stands in the object, attribute by attribute, as seg.md and PS3.3 A.51 ask for it. */
import { expect, test } from "vitest";
import type { KeywordRecord } from "../../src/dicom/build.ts";
import type { SegInput } from "../../src/segmentation/input.ts";
import { type Item, inside, items, readElements, textAt, wordsAt } from "../support/seg-reader.ts";
import { encodedOne } from "./encoded.ts";
import { AXIAL, boxes, inputFor, labelMap, stack } from "./series.ts";

const shape = { columns: 12, rows: 9, slices: 4, orientation: AXIAL, step: [0, 0, 2] as const };
const series = stack(shape);
const map = labelMap(series, boxes(series.size, 3));

function dataSetOf(changes: Partial<SegInput> = {}, extra: KeywordRecord = {}): Item {
  const own = stack({ ...shape, extra });
  return readElements(encodedOne(inputFor(own, map, changes)).file);
}

function code(item: Item, ...path: readonly string[]): readonly (string | undefined)[] {
  const inner = inside(item, ...path);
  return ["00080100", "00080102", "00080104"].map((tag) => textAt(inner, tag));
}

const dataSet = dataSetOf();

test("the object is a BINARY segmentation of one bit, derived and primary", () => {
  const found = ["00020010", "00080016", "00080008", "00080060", "00620001", "00620013", "00282110"].map(
    (tag) => textAt(dataSet, tag),
  );
  expect(found).toEqual([
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.5.1.4.1.1.66.4",
    "DERIVED\\PRIMARY",
    "SEG",
    "BINARY",
    "NO",
    "00",
  ]);
  const words = ["00280002", "00280100", "00280101", "00280102", "00280103"].map(
    (tag) => wordsAt(dataSet, tag)[0],
  );
  expect(words).toEqual([1, 1, 1, 0, 0]);
});

test("patient and study are the source's, sequences included, in UTF-8", () => {
  expect(textAt(dataSet, "00080005")).toBe("ISO_IR 192");
  const found = [
    "00100010",
    "00100020",
    "00100021",
    "00101010",
    "00101030",
    "00081030",
    "00080090",
    "00080050",
  ];
  expect(found.map((tag) => textAt(dataSet, tag))).toEqual([
    "Müller^Jürgen",
    "P-1",
    "Klinik Süd",
    "055Y",
    "80",
    "Schädel",
    "Überweiser^Änne",
    "A-4711",
  ]);
  expect(textAt(inside(dataSet, "00080051"), "00400031")).toBe("RIS");
  expect(textAt(dataSet, "0020000d")).toBe(series.source.studyUid);
});

test("the series is a new one with a number and a name of its own", () => {
  expect(textAt(dataSet, "0020000e")).not.toBe(series.source.seriesUid);
  expect(textAt(dataSet, "00200011")).toBe("9001");
  expect(textAt(dataSet, "0008103e")).toBe("AI segmentation: mandible (version 1.2.0)");
  expect(textAt(dataSet, "00180015")).toBe("HEAD");
});

test("the content is named after model and segments", () => {
  const found = ["00200013", "00700080", "00700081", "00700084"].map((tag) => textAt(dataSet, tag));
  expect(found).toEqual(["1", "MANDIBLE", "Mandible, Maxilla, Airway", "mandible^AI"]);
});

test("the longest names that a config takes fit", () => {
  const long = { name: "m".repeat(63), version: "v".repeat(64) };
  const named = dataSetOf({ model: long });
  expect(textAt(named, "00700084")).toBe(`${"m".repeat(61)}^AI`);
  expect(textAt(named, "0008103e")).toHaveLength(64);
});

test("the equipment is the product, and scanner and model contributed", () => {
  const found = ["00080070", "00081090", "00181000", "00181020"].map((tag) => textAt(dataSet, tag));
  expect(found).toEqual(["Isocenter", "Isocenter", "node-1", "0.1.0"]);
  const [scanner, model] = items(dataSet, "0018a001");
  expect(code(scanner!, "0040a170")).toEqual(["109101", "DCM", "Acquisition Equipment"]);
  expect(["00080070", "00081090", "00181020", "00081010"].map((tag) => textAt(scanner!, tag))).toEqual([
    "Scanner Works",
    "CB 1",
    "3.1\\b",
    "ROOM2",
  ]);
  expect(code(model!, "0040a170")).toEqual(["109102", "DCM", "Processing Equipment"]);
  expect(["00081090", "00181020", "0018a002"].map((tag) => textAt(model!, tag))).toEqual([
    "mandible",
    "1.2.0",
    "20250304102030.456+0000",
  ]);
});

test("a scanner without a manufacturer is not invented", () => {
  expect(items(dataSetOf({}, { Manufacturer: "" }), "0018a001")).toHaveLength(1);
});

test("every frame says what it was derived from, by both codes", () => {
  for (const frame of items(dataSet, "52009230")) {
    expect(code(frame, "00089124", "00089215")).toEqual(["113076", "DCM", "Segmentation"]);
    expect(code(frame, "00089124", "00082112", "0040a170")).toEqual([
      "121322",
      "DCM",
      "Source Image for Image Processing Operation",
    ]);
    const source = inside(frame, "00089124", "00082112");
    expect(textAt(source, "0028135a")).toBe("YES");
    expect(textAt(source, "00081150")).toBe("1.2.840.10008.5.1.4.1.1.2");
  }
});

test("the source series is referred to with all its instances, labelled or not", () => {
  const elsewhere = { sopClassUid: series.source.frames[0]!.sopClassUid, sopInstanceUid: "1.2.3" as never };
  const allInstances = [...inputFor(series, map).allInstances, elsewhere];
  const reference = inside(dataSetOf({ allInstances }), "00081115");
  expect(textAt(reference, "0020000e")).toBe(series.source.seriesUid);
  const found = items(reference, "0008114a").map((item) => textAt(item, "00081155") ?? "");
  expect(found.toSorted()).toEqual(
    allInstances.map(({ sopInstanceUid }) => String(sopInstanceUid)).toSorted(),
  );
});

test("a segment carries its codes, algorithm, tracking and colour", () => {
  const anatomy = { scheme: "SCT", value: "865995000", meaning: "Tooth 16" };
  const segment = {
    label: "Canal, right",
    category: { scheme: "SCT", value: "91723000", meaning: "Anatomical structure" },
    type: { scheme: "99CLINIC", value: "MANDIBULAR-CANAL-R", meaning: "Mandibular canal" },
    modifier: { scheme: "SCT", value: "24028007", meaning: "Right" },
    anatomy,
    color: [255, 255, 255] as const,
  };
  const [one] = items(
    dataSetOf({ segments: new Map([1, 2, 3].map((value) => [value, segment])) }),
    "00620002",
  );
  expect(wordsAt(one!, "00620004")).toEqual([1]);
  expect(textAt(one!, "00620005")).toBe("Canal, right");
  expect([textAt(one!, "00620008"), textAt(one!, "00620009")]).toEqual(["AUTOMATIC", "mandible"]);
  expect(code(one!, "00620003")).toEqual(["91723000", "SCT", "Anatomical structure"]);
  expect(code(one!, "0062000f")).toEqual([undefined, "99CLINIC", "Mandibular canal"]);
  expect(textAt(inside(one!, "0062000f"), "00080119")).toBe("MANDIBULAR-CANAL-R");
  expect(code(one!, "0062000f", "00620011")).toEqual(["24028007", "SCT", "Right"]);
  expect(code(one!, "00082218")).toEqual(["865995000", "SCT", "Tooth 16"]);
  expect(code(one!, "00620007", "0066002f")).toEqual(["123110", "DCM", "Artificial Intelligence"]);
  expect([
    textAt(inside(one!, "00620007"), "00660036"),
    textAt(inside(one!, "00620007"), "00660031"),
  ]).toEqual(["mandible", "1.2.0"]);
  expect(textAt(one!, "00620020")).toBe("mandible: Canal, right");
  expect(wordsAt(one!, "0062000d")[0]).toBe(65535);
});

test("a finding has the side of its anatomy, a URN for its code, and a tracking ID of its own", () => {
  const one = {
    label: "Cyst",
    category: { scheme: "SCT", value: "49755003", meaning: "Morphologically Abnormal Structure" },
    type: { scheme: "", value: "urn:oid:1.2.840.99.1", meaning: "Cyst" },
    anatomy: { scheme: "SCT", value: "15924003", meaning: "Maxillary sinus" },
    anatomyModifier: { scheme: "SCT", value: "7771000", meaning: "Left" },
    trackingId: "cyst-left",
  };
  const segmentOf = (changes: Partial<typeof one>): Item =>
    items(
      dataSetOf({ segments: new Map([1, 2, 3].map((value) => [value, { ...one, ...changes }])) }),
      "00620002",
    )[0]!;
  const found = segmentOf({});
  expect(code(found, "0062000f")).toEqual([undefined, undefined, "Cyst"]);
  expect(textAt(inside(found, "0062000f"), "00080120")).toBe("urn:oid:1.2.840.99.1");
  expect(code(found, "00082218")).toEqual(["15924003", "SCT", "Maxillary sinus"]);
  expect(code(found, "00082218", "00082220")).toEqual(["7771000", "SCT", "Left"]);
  expect(textAt(found, "00620020")).toBe("cyst-left");
  const uid = (item: Item) => textAt(item, "00620021");
  expect(uid(segmentOf({ label: "Zyste" }))).toBe(uid(found));
  expect(uid(segmentOf({ trackingId: "cyst-right" }))).not.toBe(uid(found));
});

test("labels keep their script, as one value of at most 64 characters", () => {
  const [one] = [...inputFor(series, map).segments.values()];
  const named = ["下顎\\右", "ä".repeat(80), "Zahn"].map(
    (label, at) => [at + 1, { ...one!, label }] as const,
  );
  const found = items(dataSetOf({ segments: new Map(named) }), "00620002").map((item) =>
    textAt(item, "00620005"),
  );
  expect(found).toEqual(["下顎 右", "ä".repeat(64), "Zahn"]);
});

test("the dimensions are segment and position", () => {
  const pointers = items(dataSet, "00209222").map((item) => [
    Buffer.from(item["00209165"]!.bytes).toString("hex"),
    Buffer.from(item["00209167"]!.bytes).toString("hex"),
  ]);
  expect(pointers).toEqual([
    ["62000b00", "62000a00"], // (0062,000B) in (0062,000A)
    ["20003200", "20001391"], // (0020,0032) in (0020,9113)
  ]);
});

test("the frame of reference is the source's, or none", () => {
  expect(textAt(dataSet, "00200052")).toMatch(/^2\.25\./);
  const without = dataSetOf({}, { FrameOfReferenceUID: undefined, PositionReferenceIndicator: undefined });
  expect([without["00200052"], without["00201040"]]).toEqual([undefined, undefined]);
});

test("a lossy source makes a lossy segmentation, with ratio and method", () => {
  const lossy = dataSetOf(
    {},
    {
      LossyImageCompression: "01",
      LossyImageCompressionRatio: ["10.5", "2"],
      LossyImageCompressionMethod: ["ISO_10918_1", "ISO_15444_1"],
    },
  );
  expect(["00282110", "00282112", "00282114"].map((tag) => textAt(lossy, tag))).toEqual([
    "01",
    "10.5\\2",
    "ISO_10918_1\\ISO_15444_1",
  ]);
});

test("without an offset of the source the content has none, and its time is UTC", () => {
  expect([textAt(dataSet, "00080023"), textAt(dataSet, "00080033")]).toEqual(["20250304", "102030.456"]);
  expect(dataSet["00080201"]).toBeUndefined();
});

test("the source's offset is repeated, and the content told in it", () => {
  const found = dataSetOf({}, { TimezoneOffsetFromUTC: "-1130" });
  expect(["00080201", "00080023", "00080033"].map((tag) => textAt(found, tag))).toEqual([
    "-1130",
    "20250303",
    "225030.456",
  ]);
  expect(textAt(items(found, "0018a001")[1]!, "0018a002")).toBe("20250303225030.456-1130");
});

test("an offset that is none is not repeated", () => {
  expect(dataSetOf({}, { TimezoneOffsetFromUTC: "CET" })["00080201"]).toBeUndefined();
});
