import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatDs, fromKeywords } from "../../src/dicom/build.ts";
import { itemsOf, numbersOf, stringOf, stringsOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";

/** PS3.5 6.2, VR DS. */
const DECIMAL_STRING = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

test.each([
  [0, "0"],
  [-0, "0"],
  [1, "1"],
  [-1000, "-1000"],
  [0.1, "0.1"],
  [1 / 3, "0.33333333333333"],
  [-1 / 3, "-0.3333333333333"],
  [Math.PI * 1e6, "3141592.65358979"],
  [6.123_233_995_736_766e-17, "612323399574e-28"],
  [-1.234_567_890_123e-101, "-1.23456789e-101"],
  [5e-324, "5e-324"],
  [1e21, "1e+21"],
  [123_456_789_012_345_680_000, "12345678901235e7"],
])("%d is written as %s", (value, text) => {
  expect(formatDs(value)).toBe(text);
});

test("any number is a decimal string of at most 16 characters that is the same number to nine digits", () => {
  fc.assert(
    fc.property(fc.double({ min: -1e308, max: 1e308, noNaN: true }), (value) => {
      const text = formatDs(value);
      expect(text).toMatch(DECIMAL_STRING);
      expect(text.length).toBeLessThanOrEqual(16);
      expect(Math.abs(Number(text) - value)).toBeLessThanOrEqual(Math.abs(value) * 1e-9);
    }),
    { numRuns: 2000 },
  );
});

test("coordinates and direction cosines keep eleven digits", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (integer) => {
      const value = integer / 2 ** 40; // up to 8192, all 53 bits used
      fc.pre(Math.abs(value) > 0.001);
      expect(Math.abs(Number(formatDs(value)) - value)).toBeLessThanOrEqual(Math.abs(value) * 5e-11);
    }),
    { numRuns: 2000 },
  );
});

test.each([Number.NaN, Infinity, -Infinity])("%d is no decimal string", (value) => {
  expect(() => formatDs(value)).toThrow("bug:");
});

test("values are written by keyword, in the representation of the dictionary and in order of tag", () => {
  const dataSet = fromKeywords({
    SegmentSequence: [{ SegmentNumber: 1, SegmentLabel: "Unterkiefer – Ä" }, { SegmentNumber: 2 }],
    Rows: 512,
    PixelSpacing: ["0.5", "0.25"],
    FrameIncrementPointer: 0x5200_9230,
    RealWorldValueSlope: [1.5, -2],
    LossyImageCompression: undefined,
    PatientName: "",
    ImageType: [],
    PatientID: "4711",
  });
  expect([...dataSet.elements.keys()].map((tag) => tag.toString(16))).toEqual([
    "80008",
    "100010",
    "100020",
    "280009",
    "280010",
    "280030",
    "409225",
    "620002",
  ]);
  expect(dataSet.elements.get(tagOf("Rows"))).toEqual({ vr: "US", bytes: Buffer.from([0, 2]) });
  expect(dataSet.elements.get(tagOf("FrameIncrementPointer"))).toEqual({
    vr: "AT",
    bytes: Buffer.from([0x00, 0x52, 0x30, 0x92]),
  });
  expect(dataSet.elements.get(tagOf("PatientName"))).toEqual({ vr: "PN", bytes: Buffer.alloc(0) });
  expect(stringsOf(dataSet, tagOf("PixelSpacing"))).toEqual(["0.5", "0.25"]);
  expect(numbersOf(dataSet, tagOf("RealWorldValueSlope"))).toEqual([1.5, -2]);
  const [first] = itemsOf(dataSet, tagOf("SegmentSequence"));
  expect(stringOf(first!, tagOf("SegmentLabel"))).toBe("Unterkiefer – Ä");
});

test.each([
  ["a number as decimal string", { PixelSpacing: [0.5, 0.5] }],
  ["a text as unsigned short", { Rows: "512" }],
  ["a text as sequence", { SegmentSequence: "one" }],
  ["an unknown keyword", { Segmentation: "x" }],
  ["65536 as unsigned short", { Rows: 65_536 }],
])("%s is a fault of ours", (_, record) => {
  expect(() => fromKeywords(record)).toThrow();
});
