import { expect, test } from "vitest";
import { NodeError } from "../../src/base/errors.ts";
import { fromKeywords, type KeywordRecord } from "../../src/dicom/build.ts";
import { SOP_CLASS } from "../../src/dicom/constants.ts";
import { readPart10Header } from "../../src/dicom/part10.ts";
import { keepOut } from "../../src/routing/guard.ts";
import { dataFiles, dataPath, testWithData } from "../support/data.ts";

const CT: KeywordRecord = {
  SOPClassUID: SOP_CLASS.CT_IMAGE,
  ImageType: ["ORIGINAL", "PRIMARY", "AXIAL"],
  Modality: "CT",
  Manufacturer: "Isocenter",
  Rows: 512,
  Columns: 384,
  PhotometricInterpretation: "MONOCHROME2",
};

test.each<[string | undefined, KeywordRecord]>([
  [undefined, {}],
  // A reformatted CT is DERIVED\SECONDARY, and a stack like any other.
  [undefined, { ImageType: ["DERIVED", "SECONDARY", "REFORMATTED"], Manufacturer: "A vendor" }],
  ["derived-by-us", { ImageType: ["DERIVED", "PRIMARY"] }],
  ["localizer", { ImageType: ["ORIGINAL", "PRIMARY", "LOCALIZER"] }],
  ["localizer", { ImageType: ["ORIGINAL", "PRIMARY", "OTHER", "LOCALIZER"] }],
  ["secondary-capture", { SOPClassUID: SOP_CLASS.SECONDARY_CAPTURE_IMAGE }],
  ["secondary-capture", { SOPClassUID: "1.2.840.10008.5.1.4.1.1.7.4" }],
  ["segmentation", { SOPClassUID: SOP_CLASS.SEGMENTATION }],
  ["segmentation", { SOPClassUID: SOP_CLASS.LABEL_MAP_SEGMENTATION }],
  ["segmentation", { SOPClassUID: "1.2.3.4", Modality: "SEG" }],
  ["structured-report", { SOPClassUID: "1.2.840.10008.5.1.4.1.1.88.34" }],
  ["presentation-state", { SOPClassUID: "1.2.840.10008.5.1.4.1.1.11.1" }],
  ["radiotherapy", { SOPClassUID: "1.2.840.10008.5.1.4.1.1.481.2" }],
  ["not-an-image", { SOPClassUID: "1.2.840.10008.5.1.4.1.1.104.1" }],
  ["not-an-image", { SOPClassUID: "1.2.840.10008.5.1.4.1.1.66", Rows: undefined }],
  ["no-sop-class", { SOPClassUID: "" }],
  ["color", { PhotometricInterpretation: "RGB" }],
  // …1.1.77 is a visible light image, no kind of Secondary Capture (…1.1.7).
  [undefined, { SOPClassUID: "1.2.840.10008.5.1.4.1.1.77.1.5.4" }],
])("%s: %o", (reason, change) => {
  expect(keepOut(fromKeywords({ ...CT, ...change }))).toBe(reason);
});

/** What each folder of the real data is expected to be; `file` where a folder holds several things. */
const REAL: readonly (readonly [folder: string, file: RegExp, reason: string | undefined])[] = [
  ["series/cbct-head-varian-obi", /\/CT\./, undefined],
  ["series/cbct-head-varian-obi", /\/RS\./, "radiotherapy"],
  ["series/ct-skull-philips", /./, undefined],
  ["series/ct-skull-philips-scout", /./, "localizer"],
  ["series/ct-skull-philips-summary", /./, "secondary-capture"],
  ["series/ct-tilt-philips", /./, undefined],
  ["series/mr-t1-siemens", /./, undefined],
  ["multiframe", /./, undefined],
  ["awkward/blank-uids-ct-siemens", /./, "no-sop-class"],
  ["awkward/not-for-segmentation", /reportsi|no-pixel-data/, "structured-report"],
  ["awkward/not-for-segmentation", /rtdose|rtplan/, "radiotherapy"],
  ["awkward/not-for-segmentation", /rtstruct/, "unreadable"],
  ["awkward/not-for-segmentation", /pdf/, "not-an-image"],
  ["awkward/not-for-segmentation", /TestPattern/, "secondary-capture"],
  ["awkward/not-for-segmentation", /no-pixel-spacing|IM00001/, "color"],
  ["awkward/not-for-segmentation", /DICOMDIR/, "no-sop-class"],
  ["seg-by-others/highdicom", /ct-source|ct_image/, undefined],
  ["seg-by-others/highdicom", /seg_image/, "segmentation"],
  ["seg-by-others/highdicom", /sr_document/, "structured-report"],
  ["seg-by-others/dcmqi-23x38x3", /\.dcm$/, undefined],
  ["seg-by-others/dcmqi-23x38x3", /\.seg$/, "segmentation"],
  ["seg-by-others/dcmqi-liver", /\/0\d\.dcm$/, undefined],
  ["seg-by-others/dcmqi-liver", /\/liver\.dcm$|sparse/, "segmentation"],
];

testWithData()("every real series is let through or kept out as a person would", async () => {
  let seen = 0;
  for (const folder of new Set(REAL.map(([name]) => name))) {
    for (const file of dataFiles(folder)) {
      const matching = REAL.filter(([name, pattern]) => name === folder && pattern.test(file));
      expect(matching.length, `${file.slice(dataPath().length)} is in the table`).toBe(1);
      expect(await reasonOf(file), file.slice(dataPath().length)).toBe(matching[0]?.[2]);
      seen++;
    }
  }
  expect(seen).toBeGreaterThan(130);
});

async function reasonOf(file: string): Promise<string | undefined> {
  try {
    return keepOut((await readPart10Header(file)).dataSet);
  } catch (error) {
    if (error instanceof NodeError && error.code === "DATA_SET_INVALID") return "unreadable";
    throw error;
  }
}
