/**
 * Headers that somebody else made, wrong in every way that chance finds: an answer is refused by a name, or is what
 * it was. Nothing crashes, hangs, or makes room for what a header only claims.
 */
import { deflateSync, gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { NodeError } from "../../../src/base/errors.ts";
import { type AnswerShape, type Expected, interpret } from "../../../src/volume/formats/interpret.ts";
import type { Labels } from "../../../src/volume/volume.ts";
import { allLabels, labelled, oblique, plain } from "./fixtures.ts";
import { byNumpy } from "./numpy-fixtures.ts";

const expected: Expected = { grid: oblique, labels: allLabels };
const { origin, perColumn, perRow, perSlice } = oblique.affine;

const metaImage = (compressed: boolean): Uint8Array => {
  const steps = [perColumn, perRow, perSlice];
  const spacing = steps.map((step) => Math.hypot(...step));
  const header = [
    "ObjectType = Image",
    "NDims = 3",
    "BinaryDataByteOrderMSB = False",
    `CompressedData = ${compressed ? "True" : "False"}`,
    `TransformMatrix = ${steps.flatMap((step, axis) => step.map((mm) => mm / spacing[axis]!)).join(" ")}`,
    `Offset = ${origin.join(" ")}`,
    `ElementSpacing = ${spacing.join(" ")}`,
    "DimSize = 5 4 3",
    "ElementType = MET_UCHAR",
    "ElementDataFile = LOCAL",
    "",
  ];
  return Buffer.concat([Buffer.from(header.join("\n")), compressed ? deflateSync(labelled) : labelled]);
};

/** Each with the length of what is header; behind it every value is a label, right or not. */
const FILES: Readonly<Record<string, readonly [Uint8Array, header: number]>> = {
  nifti: [plain("ITK, NIfTI"), 352],
  nifti2: [plain("nibabel, NIfTI-2, big-endian uint16, qform only"), 544],
  nrrd: [plain("ITK, NRRD, raw encoding"), plain("ITK, NRRD, raw encoding").length - 60],
  nrrdGzip: [plain("ITK, NRRD, gzip encoding"), 1e9],
  metaImage: [metaImage(false), metaImage(false).length - 60],
  metaImageZlib: [metaImage(true), 1e9],
  npy: [byNumpy("<i2"), 128],
  npz: [byNumpy("npz of one label map"), 1e9],
};

const POLICIES = ["exact", "placed", "nearest"] as const;

function tryRead(bytes: Uint8Array, shape: Partial<AnswerShape>): readonly Labels[] | NodeError {
  try {
    return interpret([{ bytes }], { as: "labelmap", maxBytes: 1e6, ...shape }, expected).layers;
  } catch (error) {
    if (error instanceof NodeError) return error;
    throw error;
  }
}

test.each(Object.keys(FILES))("%s as it is, is read", (name) => {
  expect(tryRead(FILES[name]![0], {})).toEqual([labelled]);
});

// Exact: what is accepted has every label where it was, or the damage was in a byte that says nothing of the place,
// or has turned the type or the byte order into another one of the same size: then the labels are others.
test.each(Object.keys(FILES))(
  "%s with any bytes of its header changed is refused by name, or is read",
  (name) => {
    const [file, header] = FILES[name]!;
    const change = fc.tuple(
      fc.nat({ max: Math.min(header, file.length) - 1 }),
      fc.integer({ min: 0, max: 255 }),
    );
    fc.assert(
      fc.property(
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...POLICIES),
        (changes, grid) => {
          const damaged = new Uint8Array(file);
          for (const [at, byte] of changes) damaged[at] = byte;
          const found = tryRead(damaged, { grid });
          if (found instanceof NodeError) expect(found.code).toMatch(/^(MODEL_ANSWER_|LABEL_)/);
          else expect(found[0]).toHaveLength(60);
        },
      ),
      { numRuns: 400 },
    );
  },
);

test.each(["nrrd", "metaImage"])(
  "%s with any digit of its place changed is refused, or lies where it did",
  (name) => {
    const [file, header] = FILES[name]!;
    const text = Buffer.from(file.subarray(0, header)).toString("latin1");
    const place = /^(space directions|space origin|sizes|TransformMatrix|Offset|ElementSpacing|DimSize).*$/gm;
    let refused = 0;
    for (const { index, 0: line } of text.matchAll(place)) {
      // Digits beyond the fifth of a number move nothing by a hundredth of a voxel.
      for (const { index: at, 0: number } of line.matchAll(/-?\d+(\.\d+)?(e-?\d+)?/g)) {
        if (number === "0" || number.length === 0) continue;
        const damaged = new Uint8Array(file);
        const first = index + at + number.search(/[1-9]/);
        damaged[first] = damaged[first] === 0x39 ? 0x38 : damaged[first]! + 1;
        const found = tryRead(damaged, { grid: "exact" });
        expect([line, number, found instanceof NodeError]).toEqual([line, number, true]);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10);
  },
);

test.each(Object.keys(FILES))("%s cut anywhere is refused", (name) => {
  const [file] = FILES[name]!;
  for (let length = 0; length < file.length; length += 7) {
    expect([length, tryRead(file.subarray(0, length), {})]).toEqual([length, expect.any(NodeError)]);
  }
});

test("random bytes are refused by name, as whatever they are declared", () => {
  const as = fc.constantFrom<AnswerShape["as"]>(
    "labelmap",
    { masks: { background: "none", others: "refuse", files: new Map() } },
    {
      probabilities: {
        reduce: "argmax",
        threshold: 0.5,
        background: "first",
        activation: "softmax",
        keep: true,
      },
    },
    { packedBits: { order: "msb" } },
  );
  const start = fc.constantFrom(
    "",
    "PK\x03\x04",
    "\x1f\x8b\x08",
    "\x93NUMPY\x01",
    "NRRD0004\n",
    "NDims = 3\n",
    "\x5c\x01\0\0",
  );
  fc.assert(
    fc.property(as, start, fc.uint8Array({ maxLength: 700 }), (as, start, rest) => {
      const bytes = Buffer.concat([Buffer.from(start, "latin1"), rest]);
      expect(tryRead(bytes, { as, grid: "nearest" })).toBeInstanceOf(NodeError);
    }),
    { numRuns: 500 },
  );
});

test.each([
  [
    "nifti",
    (file: Uint8Array) => [42, 44, 46].forEach((at) => new DataView(file.buffer).setInt16(at, 32_767, true)),
  ],
  [
    "nifti2",
    (file: Uint8Array) => [24, 32, 40].forEach((at) => new DataView(file.buffer).setBigInt64(at, 2n ** 50n)),
  ],
] as const)("%s that claims to be huge is refused under every policy, gzipped or not", (name, edit) => {
  const file = new Uint8Array(FILES[name]![0]);
  edit(file);
  for (const grid of POLICIES) {
    for (const bytes of [file, gzipSync(file)]) {
      const before = process.memoryUsage().arrayBuffers;
      const found = tryRead(bytes, { grid });
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
      expect(found).toBeInstanceOf(NodeError);
      expect((found as NodeError).code).toMatch(/LABEL_MAP_MISPLACED|MODEL_ANSWER_TOO_LARGE/);
    }
  }
});
