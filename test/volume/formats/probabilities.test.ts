import { expect, test } from "vitest";
import { NodeError } from "../../../src/base/errors.ts";
import { type AnswerShape, interpret } from "../../../src/volume/formats/interpret.ts";
import { niftiHeader } from "../../../src/volume/formats/nifti-write.ts";
import { oblique } from "./fixtures.ts";
import { byNumpy } from "./numpy-fixtures.ts";

type Probabilities = Extract<AnswerShape["as"], { probabilities: unknown }>["probabilities"];

const DEFAULTS: Probabilities = {
  reduce: "argmax",
  threshold: 0.5,
  background: "first",
  activation: "none",
  keep: false,
};

function read(
  bytes: Uint8Array,
  change: Partial<Probabilities>,
  {
    labels = [3, 7],
    format = {},
  }: { labels?: readonly number[]; format?: AnswerShape["format"] & object } = {},
): ReturnType<typeof interpret> {
  const as = { probabilities: { ...DEFAULTS, ...change } };
  return interpret([{ bytes }], { as, format, maxBytes: 1e6 }, { grid: oblique, labels });
}

function failureOf(run: () => unknown): NodeError {
  try {
    run();
  } catch (error) {
    if (error instanceof NodeError) return error;
    throw error;
  }
  throw new Error("It was accepted");
}

const data = (name: string): Uint8Array => byNumpy(name).subarray(128);
const argmax = data("argmax");

test("the most probable channel is the label, as NumPy's argmax has it", () => {
  const labels = argmax.map((channel) => [0, 3, 7][channel]!);
  expect(read(byNumpy("softmax"), {}).layers).toEqual([labels]);
});

test("the softmax and the sigmoid of logits are NumPy's", () => {
  const bytes = data("bytes"); // rint(softmax · 255), by NumPy
  const found = read(byNumpy("logits"), { activation: "softmax", keep: true, background: "last" });
  expect([...found.probabilities!.keys()]).toEqual([3, 7]);
  expect(found.probabilities!.get(3)).toEqual(bytes.subarray(0, 60));
  expect(found.probabilities!.get(7)).toEqual(bytes.subarray(60, 120));
  expect(found.layers).toEqual([argmax.map((channel) => [3, 7, 0][channel]!)]);
});

test("a byte is nearer than half of 1/255 to its probability", () => {
  const values = new Float32Array(byNumpy("softmax").slice(128).buffer);
  const { probabilities } = read(byNumpy("softmax"), { keep: true });
  [3, 7].forEach((label, n) =>
    probabilities!.get(label)!.forEach((byte, voxel) => {
      expect(Math.abs(values[60 * (n + 1) + voxel]! - byte / 255)).toBeLessThanOrEqual(1 / 510);
    }),
  );
});

test("without being wanted, probabilities are not kept", () => {
  expect(read(byNumpy("softmax"), {})).not.toHaveProperty("probabilities");
});

test("segments that reach the threshold may overlap: as NumPy's ≥ 0.5", () => {
  const marked = data("above 0.5");
  const labels = [2, 3, 9];
  const logits = read(
    byNumpy("logits"),
    { reduce: "threshold", background: "none", activation: "sigmoid" },
    { labels },
  );
  const given = read(byNumpy("sigmoid"), { reduce: "threshold", background: "none" }, { labels });
  for (const { layers } of [logits, given]) {
    labels.forEach((label, channel) => {
      const holding = layers.filter((each) => each.includes(label));
      expect(holding).toHaveLength(1);
      expect(holding[0]!.map((value) => Number(value === label))).toEqual(
        marked.subarray(60 * channel, 60 * channel + 60),
      );
    });
  }
});

test("without a background, nothing below the threshold is labelled", () => {
  const bytes = new Uint8Array(Float32Array.from({ length: 60 }, (_, n) => n / 60).buffer);
  const found = read(
    bytes,
    { background: "none", threshold: 0.7 },
    { labels: [4], format: { raw: "float32" } },
  );
  expect(found.layers).toEqual([Uint8Array.from({ length: 60 }, (_, n) => (n >= 42 ? 4 : 0))]);
});

test("0.7 as float32 reaches a threshold of 0.7", () => {
  const bytes = new Uint8Array(new Float32Array(60).fill(0.7).buffer);
  const found = read(
    bytes,
    { background: "none", threshold: 0.7 },
    { labels: [4], format: { raw: "float32" } },
  );
  expect(found.layers).toEqual([new Uint8Array(60).fill(4)]);
});

test.each([
  ["NaN", Number.NaN, "1 not a number"],
  ["a logit", 3.5, "1 above 1"],
  ["a negative number", -0.25, "1 below 0"],
  ["infinity", Number.POSITIVE_INFINITY, "1 above 1"],
])("%s is no probability", (_, value, reason) => {
  const values = new Float32Array(60).fill(0.5, 3, 9);
  values[20] = value;
  const run = () =>
    read(new Uint8Array(values.buffer), { background: "none" }, { labels: [4], format: { raw: "float32" } });
  expect(failureOf(run)).toMatchObject({
    code: "MODEL_ANSWER_INVALID",
    message: expect.stringContaining(reason) as string,
  });
});

test("what float32 adds by rounding is a probability of 1", () => {
  const bytes = new Uint8Array(new Float32Array(60).fill(1.000001).buffer);
  const found = read(bytes, { background: "none", keep: true }, { labels: [4], format: { raw: "float32" } });
  expect(found.probabilities!.get(4)).toEqual(new Uint8Array(60).fill(255));
});

test("one channel is not enough for a segment and a background, and the message says so", () => {
  const bytes = new Uint8Array(new Float32Array(60).buffer);
  const message = failureOf(() => read(bytes, {}, { labels: [4], format: { raw: "float32" } })).message;
  expect(message).toBe(
    "Answer of 1 channels where 2 are wanted: one for each of 1 segments, and one of the background",
  );
});

test("a softmax of infinite logits is not a number", () => {
  const values = new Float32Array(180).fill(Number.NEGATIVE_INFINITY);
  const run = () =>
    read(new Uint8Array(values.buffer), { activation: "softmax" }, { format: { raw: "float32" } });
  expect(failureOf(run).message).toContain("180 not a number");
});

test("of two that are equally probable, the first is the label, as in NumPy", () => {
  const bytes = new Uint8Array(new Float32Array(180).fill(0.4, 60).buffer);
  expect(read(bytes, {}, { format: { raw: "float32" } }).layers).toEqual([new Uint8Array(60).fill(3)]);
});

test.each(["argmax", "threshold"] as const)("what %s labels outside of the volume is counted", (reduce) => {
  const { origin, perColumn, perRow, perSlice } = oblique.affine;
  const before = [0, 1, 2].map((at) => origin[at]! - perColumn[at]!) as unknown as typeof origin;
  const grid = { size: [7, 4, 3], affine: { origin: before, perColumn, perRow, perSlice } } as const;
  // Two segments and the background; the first column and the last one lie outside.
  const values = new Float32Array(3 * 84);
  values.fill(0.9, 0, 84);
  for (const voxel of [0, 6, 7 * 11 + 6, 3]) {
    values[voxel] = 0.1;
    values[84 + voxel] = 0.8;
  }
  const bytes = Buffer.concat([niftiHeader(grid, values), new Uint8Array(values.buffer)]);
  new DataView(bytes.buffer, bytes.byteOffset).setInt16(40, 4, true);
  new DataView(bytes.buffer, bytes.byteOffset).setInt16(48, 3, true);
  const as = { probabilities: { ...DEFAULTS, reduce } };
  const found = interpret(
    [{ bytes }],
    { as, grid: "placed", maxBytes: 1e6 },
    { grid: oblique, labels: [3, 7] },
  );
  expect(found.layers).toEqual([new Uint8Array(60).fill(3, 2, 3)]);
  expect(found.notes).toEqual([{ kind: "outside", voxels: 3 }]);
});
