import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { decodeAnswer } from "../../src/inference/decode.ts";
import type { Unwrap } from "../../src/inference/model.ts";
import { allLabels, labelled, oblique } from "../volume/formats/fixtures.ts";
import { goodAnswer } from "./support.ts";

const expected = { grid: oblique, labels: allLabels };

interface Answer {
  readonly bytes: Uint8Array;
  readonly headers: ReadonlyMap<string, string>;
}

function labelsIn(answer: Answer, steps: readonly Unwrap[], maxBytes = 1_000_000): Uint8Array | Uint16Array {
  const { bytes, headers } = answer;
  const limits = { maxBytes, ratio: 1100 };
  const decoded = decodeAnswer({
    files: [{ bytes }],
    headers,
    steps,
    limits,
    echoes: {},
    shape: { as: "labelmap", maxBytes },
    expected,
  });
  if (decoded.kind !== "findings") throw new Error("It lies elsewhere");
  return decoded.findings.layers[0]!;
}

interface Output {
  readonly name?: string;
  readonly datatype: string;
  readonly shape: readonly unknown[];
  readonly data: Uint8Array;
  readonly size?: number;
}

/** A KServe answer; the sizes in its head may lie. */
function tensors(...outputs: readonly Output[]): Answer {
  const head = Buffer.from(
    JSON.stringify({
      model_name: "m",
      outputs: outputs.map(({ name = "SEG", datatype, shape, data, size = data.length }) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: size },
      })),
    }),
  );
  return {
    bytes: Buffer.concat([head, ...outputs.map(({ data }) => data)]),
    headers: new Map([["inference-header-content-length", String(head.length)]]),
  };
}

function decoded(answer: Answer, output?: string): Uint8Array | Uint16Array {
  return labelsIn(answer, [{ kind: "tensor", ...(output && { name: output }) }]);
}

const SHAPE = [1, 1, 3, 4, 5];
const good: Output = { datatype: "UINT8", shape: SHAPE, data: labelled };

test.each([
  ["BOOL", Uint8Array],
  ["UINT8", Uint8Array],
  ["INT8", Int8Array],
  ["UINT16", Uint16Array],
  ["INT16", Int16Array],
  ["UINT32", Uint32Array],
  ["INT32", Int32Array],
  ["FP32", Float32Array],
  ["FP64", Float64Array],
] as const)("a %s tensor becomes labels", (datatype, Numbers) => {
  const data = new Uint8Array(Numbers.from(labelled).buffer);
  expect(decoded(tensors({ ...good, datatype, data }))).toEqual(labelled);
});

test("an INT64 tensor becomes labels, wherever it begins", () => {
  const data = new Uint8Array(BigInt64Array.from(labelled, BigInt).buffer);
  for (const model_name of ["", "a", "ab", "abc"]) {
    const before = { name: model_name, datatype: "UINT8", shape: [1], data: new Uint8Array(1) };
    expect(decoded(tensors(before, { ...good, datatype: "INT64", data }), "SEG")).toEqual(labelled);
  }
});

test("of several tensors the named one is taken, at its place", () => {
  const other: Output = { name: "SCORES", datatype: "FP32", shape: [2], data: new Uint8Array(8).fill(9) };
  expect(decoded(tensors(other, good), "SEG")).toEqual(labelled);
  expect(decoded(tensors(good, other), "SEG")).toEqual(labelled);
});

test.each([
  ["shape [D, H, W]", [3, 4, 5]],
  ["shape [1, D, H, W]", [1, 3, 4, 5]],
])("%s is the same label map", (_, shape) => {
  expect(decoded(tensors({ ...good, shape }))).toEqual(labelled);
});

test.each([
  ["no outputs", tensors()],
  ["two outputs and no choice", tensors(good, good)],
  ["an output type that is text", tensors({ ...good, datatype: "BYTES" })],
  ["a type called constructor", tensors({ ...good, datatype: "constructor" })],
  ["two dimensions", tensors({ ...good, shape: [12, 5] })],
  ["a batch of two", tensors({ ...good, shape: [2, 1, 3, 4, 5] })],
  ["a shape that is not whole", tensors({ ...good, shape: [1, 1, 3, 4, 5.5] })],
  ["a negative size", tensors({ ...good, shape: [1, 1, 3, -4, -5] })],
  ["data cut short", tensors({ ...good, data: labelled.subarray(1), size: 60 })],
  ["a data size that lies", tensors({ ...good, size: 59 })],
  ["a data size past the end", tensors({ ...good, size: 2 ** 40 })],
  [
    "a head that is no JSON",
    { bytes: Buffer.from("{]..."), headers: new Map([["inference-header-content-length", "3"]]) },
  ],
  [
    "a head past the end",
    { bytes: Buffer.from("{}"), headers: new Map([["inference-header-content-length", "30"]]) },
  ],
  [
    "a head of null",
    { bytes: Buffer.from("null"), headers: new Map([["inference-header-content-length", "4"]]) },
  ],
  ["no length of the head", { ...tensors(good), headers: new Map<string, string>() }],
])("KServe with %s is refused", (_, answer) => {
  expect(() => decoded(answer)).toThrow(expect.objectContaining({ code: "MODEL_ANSWER_INVALID" }));
});

test("a tensor whose axes are exchanged is refused with both shapes", () => {
  const error = expect.objectContaining({
    code: "LABEL_MAP_MISPLACED",
    message: expect.stringMatching(/3×4×5.*5×4×3/) as unknown,
  }) as Error;
  expect(() => decoded(tensors({ ...good, shape: [1, 1, 5, 4, 3] }))).toThrow(error);
});

test("a deep JSON head is refused, not overflowed", () => {
  const head = Buffer.from("[".repeat(100_000));
  const answer = { bytes: head, headers: new Map([["inference-header-content-length", "100000"]]) };
  expect(() => decoded(answer)).toThrow(expect.objectContaining({ code: "MODEL_ANSWER_INVALID" }));
});

function file(bytes: Uint8Array, encoding: string, maxBytes?: number): Uint8Array | Uint16Array {
  return labelsIn({ bytes, headers: new Map([["content-encoding", encoding]]) }, [], maxBytes);
}

test("one layer of gzip as Content-Encoding is undone, over a gzipped file too", () => {
  expect(file(gzipSync(goodAnswer), "gzip")).toEqual(labelled);
  expect(file(gzipSync(gzipSync(goodAnswer)), "gzip")).toEqual(labelled);
  expect(file(goodAnswer, "identity")).toEqual(labelled);
});

// B23
test.each(["br", "zstd", "deflate", "gzip, gzip", "gzip,".repeat(1000)])(
  "Content-Encoding %s is refused",
  (encoding) => {
    expect(() => file(gzipSync(goodAnswer), encoding)).toThrow("a Content-Encoding other than gzip");
  },
);

test("a bomb in the Content-Encoding stops at the limit of the answer", () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  expect(() => file(bomb, "gzip", 100_000)).toThrow(
    expect.objectContaining({ code: "MODEL_ANSWER_TOO_LARGE" }),
  );
});
