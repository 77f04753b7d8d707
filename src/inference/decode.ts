/**
 * The bytes of an answer become findings. Runs in a worker: it inflates, parses and checks every voxel.
 *
 * In:   what was received, the steps that lead to the result, what was sent and what is expected.
 * Out:  Findings; or references, if the result lies elsewhere; or one of the errors of the formats.
 * Pure.
 */
import { invalid } from "../volume/formats/image.ts";
import { type AnswerShape, type Expected, type Interpreted, interpret } from "../volume/formats/interpret.ts";
import { jsonAt, scalarAt } from "./json.ts";
import type { Unwrap } from "./model.ts";
import { type UnwrapLimits, type Unwrapped, unwrap, type Wrapped, withoutEncoding } from "./unwrap.ts";

export interface Encoded extends Wrapped {
  readonly steps: readonly Unwrap[];
  readonly measurements?: readonly Unwrap[];
  /** By JSON Pointer; what the answer must say, or it is that of another request. */
  readonly echoes: Readonly<Record<string, string>>;
  readonly limits: UnwrapLimits;
  /** What the files are once they are unwrapped. */
  readonly shape: AnswerShape;
  readonly expected: Expected;
}

export type Decoded =
  | { readonly kind: "findings"; readonly findings: Interpreted; readonly measurements?: string }
  | (Extract<Unwrapped, { kind: "outside" }> & { readonly measurements?: string });

const MAX_MEASUREMENT_BYTES = 1024 * 1024;

export function decodeAnswer(encoded: Encoded): Decoded {
  const { headers, limits, steps, measurements: path } = encoded;
  const encoding = headers.get("content-encoding");
  const files = encoded.files.map((file) => ({
    ...file,
    bytes: withoutEncoding(file.bytes, encoding, limits),
  }));
  for (const { bytes } of files) checkEchoes(bytes, encoded.echoes);
  const measurements = path ? { measurements: documentAt({ files, headers }, path, limits) } : {};
  const unwrapped = unwrap({ files, headers }, steps, limits);
  if (unwrapped.kind === "outside") return { ...unwrapped, ...measurements };
  return {
    kind: "findings",
    findings: interpret(unwrapped.files, encoded.shape, encoded.expected),
    ...measurements,
  };
}

/** @throws MODEL_ANSWER_INVALID; the message repeats nothing, since it is about somebody else */
function checkEchoes(answer: Uint8Array, echoes: Encoded["echoes"]): void {
  for (const [pointer, expected] of Object.entries(echoes)) {
    if (scalarAt(answer, pointer) !== expected)
      throw invalid(`Answer belongs to another request: ${pointer} is not what was sent`);
  }
}

function documentAt(wrapped: Wrapped, path: readonly Unwrap[], limits: UnwrapLimits): string {
  const found = unwrap(wrapped, path, limits);
  const [only, second] = found.kind === "files" ? found.files : [];
  if (!only || second || only.bytes.length > MAX_MEASUREMENT_BYTES)
    throw invalid(`Answer without one document of measurements of at most ${MAX_MEASUREMENT_BYTES} bytes`);
  jsonAt(only.bytes, "");
  return Buffer.from(only.bytes).toString("utf8");
}
