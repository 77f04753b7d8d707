import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { interpret } from "../../../src/volume/formats/interpret.ts";
import { readNrrdHeader } from "../../../src/volume/formats/nrrd.ts";
import type { Grid } from "../../../src/volume/volume.ts";
import { readLabelMap } from "./fixtures.ts";

/** Three sizes, three spacings, an origin of three values; LPS. */
const grid: Grid = {
  size: [3, 2, 4],
  affine: { origin: [-10, 20, 30], perColumn: [0.5, 0, 0], perRow: [0, 0.75, 0], perSlice: [0, 0, 2] },
};
const labels = Uint8Array.from({ length: 24 }, (_, n) => n);
const expected = { grid, labels: [...labels.subarray(1)] };

const FIELDS = {
  type: "unsigned char",
  dimension: "3",
  space: "left-posterior-superior",
  sizes: "3 2 4",
  "space directions": "(0.5,0,0) (0,0.75,0) (0,0,2)",
  kinds: "domain domain domain",
  encoding: "raw",
  "space origin": "(-10,20,30)",
};

function nrrd(
  change: Readonly<Record<string, string | undefined>>,
  data: Uint8Array = labels,
  end = "\n",
): Uint8Array {
  const lines = Object.entries({ ...FIELDS, ...change }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  return Buffer.concat([
    Buffer.from(["NRRD0005", "# a comment: no field", "k:=v", ...lines, "", ""].join(end)),
    data,
  ]);
}

test("a raw NRRD in LPS is read", () => {
  expect(readLabelMap(nrrd({}), expected).labels).toEqual(labels);
});

test("lines may end as on Windows", () => {
  expect(readLabelMap(nrrd({}, labels, "\r\n"), expected).labels).toEqual(labels);
});

// The same place in the two other spaces: signs written out by hand.
test.each([
  ["right-anterior-superior", "(-0.5,0,0) (0,-0.75,0) (0,0,2)", "(10,-20,30)"],
  ["RAS", "(-0.5,0,0) (0,-0.75,0) (0,0,2)", "(10,-20,30)"],
  ["left-anterior-superior", "(0.5,0,0) (0,-0.75,0) (0,0,2)", "(-10,-20,30)"],
])("%s becomes LPS", (space, directions, origin) => {
  const file = nrrd({ space, "space directions": directions, "space origin": origin });
  expect(readNrrdHeader(file).grid).toEqual(grid);
});

test("gzip and gz encodings are read", () => {
  for (const encoding of ["gzip", "gz"]) {
    expect(readLabelMap(nrrd({ encoding }, gzipSync(labels)), expected).labels).toEqual(labels);
  }
});

test.each([
  ["short", "little", Int16Array],
  ["unsigned short int", "little", Uint16Array],
  ["int", "little", Int32Array],
  ["uint32_t", "little", Uint32Array],
  ["float", "little", Float32Array],
  ["double", "little", Float64Array],
] as const)("%s is read", (type, endian, Numbers) => {
  const file = nrrd({ type, endian }, new Uint8Array(Numbers.from(labels).buffer));
  expect(readLabelMap(file, expected).labels).toEqual(labels);
});

test("big-endian numbers are read", () => {
  const view = new DataView(new ArrayBuffer(96));
  labels.forEach((label, n) => view.setInt32(4 * n, label, false));
  const file = nrrd({ type: "int32", endian: "big" }, new Uint8Array(view.buffer));
  expect(readLabelMap(file, expected).labels).toEqual(labels);
});

test.each([
  ["a detached data file", { "data file": "/etc/passwd" }, "another file"],
  ["a detached data file, the old way", { datafile: "LIST" }, "another file"],
  ["text encoding", { encoding: "ascii" }, "encoding ascii"],
  ["hex encoding", { encoding: "hex" }, "encoding hex"],
  ["bzip2 encoding", { encoding: "bzip2" }, "encoding bzip2"],
  ["a byte skip", { "byte skip": "-1" }, "byte skip"],
  ["a line skip", { lineskip: "2" }, "line skip"],
  ["a block type", { type: "block" }, "type block"],
  ["no endian where it matters", { type: "short" }, "endian missing"],
  ["five dimensions", { dimension: "5" }, "dimension 5"],
  ["no space", { space: undefined }, "without space"],
  ["a space of no patient", { space: "scanner-xyz" }, "not one of a patient"],
  ["an axis without direction", { "space directions": "none (0,0.75,0) (0,0,2)" }, "vectors"],
  ["a direction that is not a number", { "space directions": "(nan,0,0) (0,0.75,0) (0,0,2)" }, "vectors"],
  ["no origin", { "space origin": undefined }, "without space origin"],
  ["other units", { "space units": '"cm" "cm" "cm"' }, "units"],
  ["a size of zero", { sizes: "3 0 4" }, "sizes"],
  ["a fractional size", { sizes: "3 2.5 4" }, "sizes"],
])("NRRD with %s is refused by name", (_, change, reason) => {
  expect(() => readLabelMap(nrrd(change), expected)).toThrow(reason);
});

test.each([
  ["first", "none (0.5,0,0) (0,0.75,0) (0,0,2)", "2 3 2 4", "vector domain domain domain"],
  ["last", "(0.5,0,0) (0,0.75,0) (0,0,2) none", "3 2 4 2", "domain domain domain list"],
  ["second", "(0.5,0,0) none (0,0.75,0) (0,0,2)", "3 2 2 4", "domain list domain domain"],
])("channels may be the %s axis, which is the one without a direction", (where, directions, sizes, kinds) => {
  const change = { dimension: "4", sizes, kinds, "space directions": directions };
  const both = [labels.map((label) => Number(label < 5)), labels.map((label) => Number(label > 20))] as const;
  const data = Uint8Array.from({ length: 48 }, (_, n) => {
    if (where === "first") return both[n % 2]![n >> 1]!;
    if (where === "last") return both[Math.floor(n / 24)]![n % 24]!;
    return both[Math.floor(n / 3) % 2]![(n % 3) + 3 * Math.floor(n / 6)]!;
  });
  const as = { masks: { background: "none", others: "refuse", files: new Map() } } as const;
  const { layers } = interpret(
    [{ bytes: nrrd(change, data) }],
    { as, maxBytes: 1e6 },
    { grid, labels: [1, 2] },
  );
  expect(layers).toEqual([labels.map((label) => (label < 5 ? 1 : label > 20 ? 2 : 0))]);
});

test.each([
  ["no axis without direction", "(0.5,0,0) (0,0.75,0) (0,0,2) (0,0,1)"],
  ["two of them", "none (0.5,0,0) (0,0.75,0) none"],
  ["too few directions", "none (0.5,0,0) (0,0.75,0)"],
])("NRRD of four dimensions with %s is refused", (_, directions) => {
  const file = nrrd({ dimension: "4", sizes: "2 3 2 4", "space directions": directions }, new Uint8Array(48));
  expect(() => readLabelMap(file, expected)).toThrow("one axis without direction");
});

test("the same field twice is refused: two readers could choose differently", () => {
  expect(() => readLabelMap(nrrd({ Encoding: "gzip" }), expected)).toThrow("twice");
});

test("data cut short, too long, or inflating to more than the sizes say, are refused", () => {
  expect(() => readLabelMap(nrrd({}, labels.subarray(1)), expected)).toThrow("ends after 23 of 24 bytes");
  const more = Buffer.concat([labels, labels]);
  expect(() => readLabelMap(nrrd({}, more), expected)).toThrow("has 48 bytes instead of 24");
  const bomb = gzipSync(new Uint8Array(100_000_000));
  expect(() => readLabelMap(nrrd({ encoding: "gzip" }, bomb), expected)).toThrow("more than the 24 bytes");
});

test("a header without an end is refused", () => {
  const endless = Buffer.concat([Buffer.from("NRRD0004\n"), Buffer.alloc(200_000, "a: b\n")]);
  expect(() => readLabelMap(endless, expected)).toThrow("without an end");
});
