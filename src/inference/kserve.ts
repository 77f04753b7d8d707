/**
 * The Open Inference Protocol (KServe v2, Triton) with its binary tensor extension.
 *
 * Request:   a JSON head, then the volume as little-endian numbers, then the optional tensors of the geometry.
 * Response:  a JSON head, then the tensors it names; one of them is the answer.
 * Pure.
 *
 * A tensor says nothing about where it lies. An answer of the shape that was sent is on the grid that was sent;
 * that is what a model with this protocol promises, and it cannot be checked.
 *
 * @see https://github.com/kserve/open-inference-protocol
 * @see https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md
 */
import { toRasRows } from "../volume/formats/affine.ts";
import type { AnswerFile } from "../volume/formats/answer.ts";
import { invalid } from "../volume/formats/image.ts";
import type { Grid } from "../volume/volume.ts";
import { shapeOf, spacingOf } from "./arrange.ts";
import type { KserveRequest } from "./model.ts";
import { type Body, type Bytes, bytesOf, withHeaders } from "./request.ts";

/** Carries the length of the JSON head, in both directions. */
export const JSON_LENGTH_HEADER = "inference-header-content-length";

const MAX_JSON_BYTES = 1024 * 1024;
const MAX_DIMENSIONS = 8;

/**
 * @param grid   that of the voxels as they are sent
 * @param output named where the model has several, so that only this one is computed
 */
export function kserveBody(
  { grid, voxels }: { readonly grid: Grid; readonly voxels: Bytes },
  request: KserveRequest,
): Body {
  const geometry = geometryOf(grid, request);
  const head = Buffer.from(
    JSON.stringify({
      inputs: [
        tensor(request.input, request.datatype, shapeOf(grid, request.layout), voxels.length),
        ...geometry.map(({ name, shape, values }) => tensor(name, "FP32", shape, values.byteLength)),
      ],
      parameters: { ...request.parameters, binary_data_output: true },
    }),
  );
  const tail = geometry.map(({ values }) => new Uint8Array(values.buffer));
  return withHeaders([bytesOf([head]), voxels, bytesOf(tail)], {
    "content-type": "application/octet-stream",
    [JSON_LENGTH_HEADER]: String(head.length),
  });
}

/**
 * @param jsonLength  the header of that name, if the answer had it
 * @param output      which tensor, where there are several
 */
export function tensorIn(
  answer: Uint8Array,
  { jsonLength, output }: { readonly jsonLength: string | undefined; readonly output: string | undefined },
): AnswerFile {
  if (!/^\d{1,9}$/.test(jsonLength ?? "")) throw invalid(`KServe answer without ${JSON_LENGTH_HEADER}`);
  const length = Number(jsonLength);
  if (length > Math.min(MAX_JSON_BYTES, answer.length)) throw invalid(`KServe JSON head of ${length} bytes`);
  const found = tensorNamed(output, parse(answer.subarray(0, length)));
  const { datatype, shape } = found;
  const bytes = answer.subarray(length + found.offset, length + found.offset + found.bytes);
  if (bytes.length !== found.bytes)
    throw invalid(`KServe output has ${bytes.length} of ${found.bytes} bytes`);
  if (datatype === "BYTES") return { bytes: onlyElement(bytes) };
  if (typeof datatype !== "string" || !/^[A-Z]{2,5}\d{0,2}$/.test(datatype) || !isShape(shape))
    throw invalid("KServe output is not of a plain number type and shape");
  return { bytes, tensor: { datatype, shape } };
}

/** A BYTES tensor is a list of byte strings, each after its length; one of them is a file. */
function onlyElement(bytes: Uint8Array): Uint8Array {
  const length = bytes.length < 4 ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (length !== bytes.length - 4) throw invalid("KServe output of BYTES is not one file");
  return bytes.subarray(4);
}

function tensor(name: string, datatype: string, shape: readonly number[], bytes: number): object {
  return { name, datatype, shape, parameters: { binary_data_size: bytes } };
}

interface Geometry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

function geometryOf(grid: Grid, { spacing, affine: matrix }: KserveRequest): readonly Geometry[] {
  const rows = [...toRasRows(grid.affine).flat(), 0, 0, 0, 1];
  return [
    ...(spacing ? [{ name: spacing, shape: [1, 3], values: Float32Array.from(spacingOf(grid)) }] : []),
    ...(matrix ? [{ name: matrix, shape: [1, 4, 4], values: Float32Array.from(rows) }] : []),
  ];
}

function parse(json: Uint8Array): readonly unknown[] {
  try {
    const head: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(json)));
    const outputs: unknown = isRecord(head) ? head["outputs"] : undefined;
    if (Array.isArray(outputs)) return outputs;
  } catch (error) {
    throw invalid("KServe JSON head is not JSON", error);
  }
  throw invalid("KServe answer without outputs");
}

interface Found {
  readonly datatype: unknown;
  readonly shape: unknown;
  /** From the end of the JSON head. */
  readonly offset: number;
  readonly bytes: number;
}

/** Binary outputs follow each other in the order of the head; so the sizes of those before give the offset. */
function tensorNamed(name: string | undefined, outputs: readonly unknown[]): Found {
  let offset = 0;
  const found: Found[] = [];
  for (const output of outputs) {
    if (!isRecord(output)) throw invalid("KServe output is not an object");
    const parameters = output["parameters"];
    const bytes = isRecord(parameters) ? parameters["binary_data_size"] : undefined;
    const binary = typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0;
    if (name === undefined || output["name"] === name) {
      if (!binary) throw invalid("KServe output is not binary");
      found.push({ datatype: output["datatype"], shape: output["shape"], offset, bytes });
    }
    if (binary) offset += bytes;
  }
  const [only, second] = found;
  if (!only || second) throw invalid(`KServe answer with ${found.length} outputs where one is wanted`);
  return only;
}

function isShape(shape: unknown): shape is readonly number[] {
  return (
    Array.isArray(shape) &&
    shape.length <= MAX_DIMENSIONS &&
    shape.every((n) => Number.isSafeInteger(n) && (n as number) >= 1)
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
