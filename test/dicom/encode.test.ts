import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fromKeywords } from "../../src/dicom/build.ts";
import { UTF_8 } from "../../src/dicom/character-set.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { itemsOf, stringOf } from "../../src/dicom/data-set.ts";
import { encodeDataSet, encodePart10 } from "../../src/dicom/encode.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { EXPLICIT, explicit, file, IMPLICIT, implicit, item, u16 } from "../support/bytes.ts";
import { dataFiles, dataPath, hasProgram, testIf, testWithDataAnd } from "../support/data.ts";
import { dcmdump } from "../support/dcmdump.ts";
import { tempFolder } from "../support/temp.ts";

test("elements, lengths and padding are the bytes the standard asks for", () => {
  const dataSet = fromKeywords({
    PatientID: "123",
    PatientName: "Ä",
    SOPInstanceUID: "1.2.3",
    Rows: 513,
    PixelSpacing: ["0.5", "0.25"],
    ReferencedSeriesSequence: [{ SeriesInstanceUID: "1.2" }, {}],
    ICCProfile: Uint8Array.of(1, 2, 3),
    ImageComments: "odd",
  });
  expect(encodeDataSet(dataSet)).toEqual(
    Buffer.concat([
      explicit("00080018", "UI", "1.2.3\0"),
      explicit("00081115", "SQ", Buffer.concat([item(explicit("0020000e", "UI", "1.2\0")), item()])),
      explicit("00100010", "PN", "\xc3\x84"),
      explicit("00100020", "LO", "123 "),
      explicit("00204000", "LT", "odd "),
      explicit("00280010", "US", u16(513)),
      explicit("00280030", "DS", "0.5\\0.25"),
      explicit("00282000", "OB", "\x01\x02\x03\0"),
    ]),
  );
});

test("a value too long for its representation is written as unknown, and read as what it is", () => {
  const long = "x".repeat(70_001);
  const { dataSet } = readPart10(
    file(IMPLICIT, implicit("00081030", `${long} `), implicit("00100020", "1 ")),
  );
  const again = readPart10(file(EXPLICIT, encodeDataSet(dataSet))).dataSet;
  expect(stringOf(again, 0x00081030)).toBe(long);
  expect(stringOf(again, 0x00100020)).toBe("1");
});

test("elements are written in order of tag, whatever order they came in", () => {
  const { elements } = fromKeywords({ PatientID: "1 ", Rows: 1 });
  const reversed = { characterSet: UTF_8, elements: new Map([...elements].reverse()) };
  expect(encodeDataSet(reversed)).toEqual(
    Buffer.concat([explicit("00100020", "LO", "1 "), explicit("00280010", "US", u16(1))]),
  );
});

test("the same data set gives the same bytes", () => {
  const record = { PatientID: "1", SegmentSequence: [{ SegmentNumber: 1 }] };
  expect(encodeDataSet(fromKeywords(record))).toEqual(encodeDataSet(fromKeywords(record)));
});

test("pixels of odd length are padded, and lie where the head says", () => {
  const identity = fromKeywords({ SOPClassUID: SOP_CLASS.SEGMENTATION, SOPInstanceUID: "1.2.3" });
  const chunks = [Uint8Array.of(1, 2), Uint8Array.of(3)];
  const parts = encodePart10(TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN, identity, { vr: "OB", chunks });
  const { pixelData, body, meta } = readPart10(Buffer.concat(parts));
  expect(pixelData).toMatchObject({ vr: "OB", length: 4 });
  expect([...body.subarray(pixelData?.offset)]).toEqual([1, 2, 3, 0]);
  expect(stringOf(meta, 0x00020002)).toBe(SOP_CLASS.SEGMENTATION);
  expect(stringOf(meta, 0x00020003)).toBe("1.2.3");
});

testWithDataAnd("dcmdump")(
  "every real data set that we write again is read by DCMTK, value for value",
  async () => {
    await using folder = await tempFolder();
    const written: string[] = [];
    const expected = new Map<string, number>();
    for (const [at, source] of dataFiles().entries()) {
      if (/malformed|DICOMDIR|rtstruct\.dcm/.test(source)) continue;
      const { dataSet } = readPart10(readFileSync(source));
      const path = join(folder.path, `${at}.dcm`);
      await writeFile(path, Buffer.concat(encodePart10(TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN, dataSet)));
      written.push(path);
      expected.set(path, dataSet.elements.size);
    }
    const dumps = dcmdump(written);
    for (const path of written) {
      const topLevel = dumps.get(path)?.filter(({ depth, tag }) => depth === 0 && tag >>> 16 > 2);
      const elements = topLevel?.filter(({ tag }) => tag >>> 16 !== 0xfffe);
      expect(elements?.length, path).toBe(expected.get(path));
    }
    expect(written.length).toBeGreaterThan(170);
  },
);

testIf(hasProgram("dciodvfy"), "dciodvfy")(
  "dciodvfy reads what we write without a complaint about its encoding",
  async () => {
    await using folder = await tempFolder();
    const path = join(folder.path, "ct.dcm");
    const dataSet = fromKeywords({
      SpecificCharacterSet: "ISO_IR 192",
      SOPClassUID: SOP_CLASS.CT_IMAGE,
      SOPInstanceUID: "1.2.3",
      PatientName: "Müller^Jörg",
      ReferencedImageSequence: [
        { ReferencedSOPClassUID: SOP_CLASS.CT_IMAGE, ReferencedSOPInstanceUID: "1.2.4" },
      ],
    });
    await writeFile(path, Buffer.concat(encodePart10(TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN, dataSet)));
    const { stderr } = spawnSync("dciodvfy", ["-new", path], { encoding: "utf8" });
    expect(stderr).toContain("CTImage");
    expect(stderr).not.toMatch(/length|padding|byte|VR|explicit|illegal|invalid/i);
  },
);

testWithDataAnd("dcmdump")(
  "a sequence that was of undefined length is of defined length when we write it",
  () => {
    const { dataSet } = readPart10(readFileSync(dataPath("awkward", "malformed", "priv_SQ.dcm")));
    const encoded = encodeDataSet(dataSet);
    expect(Buffer.from(encoded).includes(Buffer.from("fffe0de0", "hex"))).toBe(false);
    expect(itemsOf(readPart10(file(EXPLICIT, encoded)).dataSet, 0x00010001).length).toBe(
      itemsOf(dataSet, 0x00010001).length,
    );
  },
);
