import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readInstance } from "../../src/dicom/instance.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { ctImage, EXPLICIT, explicit, file } from "../support/bytes.ts";
import { dataFiles, testWithData } from "../support/data.ts";

const instanceOf = (overrides: Parameters<typeof ctImage>[0] = {}) =>
  readInstance(readPart10(file(EXPLICIT, ctImage(overrides))).dataSet);

test("an image says who it is and where it lies", () => {
  const counts = {
    "00201002": explicit("00201002", "IS", "40"),
    "00201209": explicit("00201209", "IS", "312 "),
    "00280008": explicit("00280008", "IS", "12"),
  };
  expect(instanceOf(counts)).toEqual({
    kind: "instance",
    instance: {
      studyUid: "1.2.3.4",
      seriesUid: "1.2.3.4.5",
      sopInstanceUid: "1.2.3.4.5.1",
      sopClassUid: "1.2.840.10008.5.1.4.1.1.2",
      facts: {
        modality: "CT",
        orientation: [1, 0, 0, 0, 1, 0],
        position: [-10.5, 20, -30.25],
        frames: 12,
        announcedInSeries: 312,
        announcedInAcquisition: 40,
      },
    },
  });
});

test.each([
  ["00080016", "SOPClassUID"],
  ["00080018", "SOPInstanceUID"],
  ["0020000d", "StudyInstanceUID"],
  ["0020000e", "SeriesInstanceUID"],
])("without a valid %s nothing has a place: %s is missing", (tag, missing) => {
  for (const value of ["", "\0", "..", "1.2/3", "1..2", "1".repeat(70), "*"]) {
    const element = explicit(tag, "UI", value.length % 2 ? `${value}\0` : value);
    expect(instanceOf({ [tag]: element }), value).toEqual({ kind: "incomplete", missing });
  }
  expect(instanceOf({ [tag]: "" })).toEqual({ kind: "incomplete", missing });
});

test.each([
  ["00200032", "DS", "1\\2"],
  ["00200032", "DS", "1\\2\\NaN "],
  ["00200032", "DS", "1\\2\\1e999 "],
  ["00200032", "DS", "1\\2\\3\\4 "],
  ["00200037", "DS", "1\\0\\0\\0\\1\\x"],
  ["00201209", "IS", "-5"],
  ["00201209", "IS", "1.5 "],
  ["00201209", "IS", "many"],
  ["00280008", "IS", "0 "],
])("%s with the value %s %j is left out", (tag, vr, value) => {
  const plain = instanceOf({ "00200032": "", "00200037": "" });
  expect(instanceOf({ "00200032": "", "00200037": "", [tag]: explicit(tag, vr, value) })).toEqual(plain);
});

const withData = testWithData();

withData("an image whose UIDs are blank has no place", () => {
  for (const path of dataFiles("awkward", "blank-uids-ct-siemens")) {
    expect(readInstance(readPart10(readFileSync(path)).dataSet)).toEqual({
      kind: "incomplete",
      missing: "SOPClassUID",
    });
  }
});
