import { deflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { interpret } from "../../../src/volume/formats/interpret.ts";
import { readMetaImageHeader } from "../../../src/volume/formats/metaimage.ts";
import type { Grid } from "../../../src/volume/volume.ts";
import { readLabelMap } from "./fixtures.ts";

const grid: Grid = {
  size: [3, 2, 4],
  affine: { origin: [-10, 20, 30], perColumn: [0, 0.5, 0], perRow: [0, 0, -0.75], perSlice: [2, 0, 0] },
};
const labels = Uint8Array.from({ length: 24 }, (_, n) => n);
const expected = { grid, labels: [...labels.subarray(1)] };

const FIELDS = {
  ObjectType: "Image",
  NDims: "3",
  BinaryData: "True",
  BinaryDataByteOrderMSB: "False",
  CompressedData: "False",
  TransformMatrix: "0 1 0 0 0 -1 1 0 0",
  Offset: "-10 20 30",
  CenterOfRotation: "0 0 0",
  AnatomicalOrientation: "ASR",
  ElementSpacing: "0.5 0.75 2",
  DimSize: "3 2 4",
  ElementType: "MET_UCHAR",
  ElementDataFile: "LOCAL",
};

function mha(
  change: Readonly<Record<string, string | undefined>>,
  data: Uint8Array = labels,
  end = "\n",
): Uint8Array {
  const lines = Object.entries({ ...FIELDS, ...change }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} = ${value}`],
  );
  const last = lines.filter((line) => line.startsWith("ElementDataFile"));
  const ordered = [...lines.filter((line) => !line.startsWith("ElementDataFile")), ...last];
  return Buffer.concat([Buffer.from([...ordered, ""].join(end)), data]);
}

test("a MetaImage is read: each triple of the matrix is the direction of an axis, in LPS", () => {
  expect(readMetaImageHeader(mha({})).grid).toEqual(grid);
  expect(readLabelMap(mha({}), expected).labels).toEqual(labels);
});

test("lines may end as on Windows, and fields have their other names", () => {
  const change = {
    TransformMatrix: undefined,
    Rotation: FIELDS.TransformMatrix,
    Offset: undefined,
    Position: FIELDS.Offset,
    BinaryDataByteOrderMSB: undefined,
  };
  expect(readLabelMap(mha(change, labels, "\r\n"), expected).labels).toEqual(labels);
});

test.each([
  ["MET_CHAR", Int8Array],
  ["MET_SHORT", Int16Array],
  ["MET_USHORT", Uint16Array],
  ["MET_INT", Int32Array],
  ["MET_LONG", Int32Array],
  ["MET_ULONG", Uint32Array],
  ["MET_FLOAT", Float32Array],
  ["MET_DOUBLE", Float64Array],
] as const)("%s, plain and compressed", (type, Numbers) => {
  const data = new Uint8Array(Numbers.from(labels).buffer);
  expect(readLabelMap(mha({ ElementType: type }, data), expected).labels).toEqual(labels);
  const compressed = { ElementType: type, CompressedData: "True" };
  expect(readLabelMap(mha(compressed, deflateSync(data)), expected).labels).toEqual(labels);
});

test("64 bits, and the higher byte first", () => {
  const data = new Uint8Array(BigInt64Array.from(labels, BigInt).buffer);
  expect(readLabelMap(mha({ ElementType: "MET_LONG_LONG" }, data), expected).labels).toEqual(labels);
  const big = { ElementType: "MET_LONG_LONG", BinaryDataByteOrderMSB: "True" };
  expect(readLabelMap(mha(big, Buffer.from(data).swap64()), expected).labels).toEqual(labels);
});

// Twice the label in the second channel.
test("channels are interleaved, or a fourth dimension", () => {
  const masks = { masks: { background: "none", others: "refuse", files: new Map() } } as const;
  const wanted = [labels.map((label) => (label < 5 ? 1 : label > 20 ? 2 : 0))];
  const first = labels.map((label) => Number(label < 5));
  const second = labels.map((label) => Number(label > 20));
  const interleaved = mha(
    { ElementNumberOfChannels: "2" },
    Uint8Array.from({ length: 48 }, (_, n) => (n % 2 ? second : first)[n >> 1]!),
  );
  const fourth = mha(
    {
      NDims: "4",
      TransformMatrix: "0 1 0 0 0 0 -1 0 1 0 0 0 0 0 0 1",
      Offset: "-10 20 30 0",
      ElementSpacing: "0.5 0.75 2 1",
      DimSize: "3 2 4 2",
    },
    Buffer.concat([first, second]),
  );
  for (const bytes of [interleaved, fourth]) {
    expect(interpret([{ bytes }], { as: masks, maxBytes: 1e6 }, { grid, labels: [1, 2] }).layers).toEqual(
      wanted,
    );
  }
});

test.each([
  ["its data in another file", { ElementDataFile: "/etc/passwd" }, "another file"],
  ["a list of files", { ElementDataFile: "LIST" }, "another file"],
  ["numbers as text", { BinaryData: "False" }, "as text"],
  ["a header size", { HeaderSize: "-1" }, "HeaderSize"],
  ["another object", { ObjectType: "Tube" }, "ObjectType Tube"],
  ["text as elements", { ElementType: "MET_STRING" }, "ElementType MET_STRING"],
  ["no type", { ElementType: undefined }, "without ElementType"],
  ["no matrix: how it lies is not said", { TransformMatrix: undefined }, "without TransformMatrix"],
  ["no offset", { Offset: undefined }, "without Offset"],
  ["two names of one field", { Origin: "0 0 0" }, "Offset and Origin"],
  ["two dimensions", { NDims: "2" }, "NDims"],
  ["a matrix of eight numbers", { TransformMatrix: "1 0 0 0 1 0 0 0" }, "TransformMatrix is not 9 numbers"],
  ["a size that is no number", { DimSize: "3 2 x" }, "DimSize is not 3 numbers"],
  ["a fractional size", { DimSize: "3 2 4.5" }, "whole"],
  ["a size of zero", { DimSize: "3 0 4" }, "whole"],
  ["a flag that is neither", { CompressedData: "maybe" }, "neither True nor False"],
])("MetaImage with %s is refused by name", (_, change, reason) => {
  expect(() => readLabelMap(mha(change), expected)).toThrow(reason);
});

test("data cut short, too long, and a bomb, are refused", () => {
  expect(() => readLabelMap(mha({}, labels.subarray(1)), expected)).toThrow("ends after 23 of 24 bytes");
  const more = Buffer.concat([labels, labels]);
  expect(() => readLabelMap(mha({}, more), expected)).toThrow("has 48 bytes instead of 24");
  const bomb = deflateSync(new Uint8Array(100_000_000));
  expect(() => readLabelMap(mha({ CompressedData: "True" }, bomb), expected)).toThrow(
    "more than the 24 bytes",
  );
});

test("a header without an end is refused", () => {
  const endless = Buffer.concat([Buffer.from("ObjectType = Image\n"), Buffer.alloc(200_000, "a = b\n")]);
  expect(() => readLabelMap(endless, expected)).toThrow("without ElementDataFile");
});
