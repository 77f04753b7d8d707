import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { fromKeywords } from "../../src/dicom/build.ts";
import { type DataSet, type Element, stringOf, type Tag } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10Header } from "../../src/dicom/part10.ts";
import { dataPath } from "../support/data.ts";
import { type Item, items, readElements, textAt } from "../support/seg-reader.ts";
import { encodedOne } from "./encoded.ts";
import { needing } from "./peers.ts";
import { AXIAL, boxes, inputFor, labelMap, stack } from "./series.ts";

const series = stack({ columns: 12, rows: 9, slices: 2, orientation: AXIAL, step: [0, 0, 2] });
const map = labelMap(series, boxes(series.size, 2));

function segOf(sourceHeader: DataSet): Item {
  const patientId = stringOf(sourceHeader, tagOf("PatientID"));
  const { frameOfReferenceUid: _, patientId: __, ...bare } = series.source;
  const frameOfReferenceUid = stringOf(sourceHeader, tagOf("FrameOfReferenceUID"));
  const source = {
    ...bare,
    ...(patientId !== undefined && { patientId }),
    ...(frameOfReferenceUid !== undefined && { frameOfReferenceUid }),
  };
  return readElements(encodedOne(inputFor(series, map, { sourceHeader, source })).file);
}

/** The series' identity and size with other elements, under their character set. */
function headerWith({ characterSet, elements }: DataSet): DataSet {
  const identity = fromKeywords({
    StudyInstanceUID: series.source.studyUid,
    SeriesInstanceUID: series.source.seriesUid,
    Rows: 9,
    Columns: 12,
  });
  return { characterSet, elements: new Map([...elements, ...identity.elements]) };
}

// The names are those of PS3.5 annexes H to K, typed here, not decoded by us.
const NAMES = {
  "chrArab.dcm": "قباني^لنزار",
  "chrGerm.dcm": "Äneas^Rüdiger",
  "chrGreek.dcm": "Διονυσιος",
  "chrH31.dcm": "Yamada^Tarou=山田^太郎=やまだ^たろう",
  "chrH32.dcm": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
  "chrI2.dcm": "Hong^Gildong=洪^吉洞=홍^길동",
  "chrRuss.dcm": "Люкceмбypг",
  "chrX1.dcm": "Wang^XiaoDong=王^小東",
  "chrX2.dcm": "Wang^XiaoDong=王^小东",
};

const real = needing("data");
for (const [file, name] of Object.entries(NAMES))
  real(`${file}: the name is the same in UTF-8`, async () => {
    const { dataSet } = await readPart10Header(dataPath(`awkward/charset/${file}`));
    const seg = segOf(headerWith(dataSet));
    expect(textAt(seg, "00080005")).toBe("ISO_IR 192");
    expect(textAt(seg, "00100010")?.replace(/=$/, "")).toBe(name);
  });

real("a header of any kind lends its patient, however awkward the rest of it is", async () => {
  const folders = ["charset", "malformed", "not-for-segmentation"];
  let written = 0;
  for (const folder of folders)
    for (const file of await readdir(dataPath(`awkward/${folder}`))) {
      const read = await readPart10Header(dataPath(`awkward/${folder}/${file}`)).catch(() => undefined);
      if (read && segOf(headerWith(read.dataSet))["00100010"]) written++;
    }
  expect(written).toBeGreaterThan(20);
});

test("without a character set a name is ASCII, and what is not is kept as Latin-1", () => {
  const bytes = Buffer.from("M\u00fcller", "latin1");
  const elements = new Map<Tag, Element>([[0x00100010, { vr: "PN", bytes }]]);
  expect(textAt(segOf(headerWith({ characterSet: { terms: [] }, elements })), "00100010")).toBe("Müller");
});

test("attributes that must be there are empty where the source has none, and nothing is invented", () => {
  const seg = segOf(headerWith({ characterSet: { terms: [] }, elements: new Map() }));
  for (const tag of [
    "00100010",
    "00100020",
    "00100030",
    "00100040",
    "00080020",
    "00080030",
    "00080050",
    "00080090",
    "00200010",
  ])
    expect(textAt(seg, tag)).toBe("");
  expect(["00100021", "00081030", "00180015", "00200052"].map((tag) => seg[tag])).toEqual(
    Array(4).fill(undefined),
  );
});

test("private elements stay behind, also inside sequences", () => {
  const creator: readonly [Tag, Element] = [0x00110010, { vr: "LO", bytes: Buffer.from("SCANNER ") }];
  const issuer = fromKeywords({ LocalNamespaceEntityID: "RIS" });
  const item = { ...issuer, elements: new Map([...issuer.elements, creator]) };
  const elements = new Map<Tag, Element>([creator, [0x00080051, { vr: "SQ", items: [item] }]]);
  const seg = segOf(headerWith({ characterSet: { terms: [] }, elements }));
  expect(Object.keys(seg).filter((tag) => Number.parseInt(tag.slice(0, 4), 16) % 2 === 1)).toEqual([]);
  expect(Object.keys(items(seg, "00080051")[0]!)).toEqual(["00400031"]);
});

test("the subject of a clinical trial is repeated, the trial's series is not", () => {
  const trial = fromKeywords({
    ClinicalTrialSponsorName: "Sponsor",
    ClinicalTrialProtocolID: "P9",
    ClinicalTrialSubjectID: "S7",
    ClinicalTrialTimePointID: "T1",
    ClinicalTrialCoordinatingCenterName: "Center",
    ClinicalTrialSeriesID: "X",
  });
  const seg = segOf(headerWith(trial));
  expect(["00120010", "00120040", "00120050"].map((tag) => textAt(seg, tag))).toEqual([
    "Sponsor",
    "S7",
    "T1",
  ]);
  expect(["00120060", "00120071"].map((tag) => seg[tag])).toEqual([undefined, undefined]);
});

test("a text that changes its character set inside an item is decoded by that set", () => {
  const name = Buffer.from("M\u00fcller", "latin1");
  const item: DataSet = {
    characterSet: { terms: ["ISO_IR 100"] },
    elements: new Map([[0x00400031, { vr: "UT", bytes: name }]]),
  };
  const elements = new Map<Tag, Element>([[0x00080051, { vr: "SQ", items: [item] }]]);
  const seg = segOf(headerWith({ characterSet: { terms: ["ISO_IR 192"] }, elements }));
  expect(textAt(items(seg, "00080051")[0]!, "00400031")).toBe("Müller");
});
