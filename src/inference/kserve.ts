/**
 * The Open Inference Protocol (KServe v2, Triton) with its binary tensor extension.
 *
 * Request:   a JSON head, then the volume as little-endian numbers, then the optional tensors of the geometry.
 * Response:  a JSON head, then the tensors it names; one of them is the label map.
 * Pure.
 *
 * A tensor says nothing about where it lies. An answer of the shape that was sent is on the grid that was sent;
 * that is what a model with this protocol promises, and it cannot be checked.
 *
 * @see https://github.com/kserve/open-inference-protocol
 * @see https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md
 */
import { NodeError } from "../base/errors.ts";
import { toRasRows } from "../volume/formats/affine.ts";
import { bytesPer, invalid, type NumberType, numbersIn } from "../volume/formats/image.ts";
import type { Expected } from "../volume/formats/label-map.ts";
import { labelsOf } from "../volume/formats/labels.ts";
import { placementOf } from "../volume/formats/placement.ts";
import type { Grid, LabelMap, Volume } from "../volume/volume.ts";
import type { KserveRequest } from "./model.ts";
import { type Body, bodyOf } from "./request.ts";

/** Carries the length of the JSON head, in both directions. */
export const JSON_LENGTH_HEADER = "inference-header-content-length";

const MAX_JSON_BYTES = 1024 * 1024;
/** Voxels turned into float32 at a time: 1 MiB of them. */
const CONVERTED_AT_ONCE = 256 * 1024;

const TYPES: ReadonlyMap<unknown, NumberType> = new Map<string, NumberType>([
  ["BOOL", "uint8"],
  ["UINT8", "uint8"],
  ["UINT16", "uint16"],
  ["UINT32", "uint32"],
  ["UINT64", "uint64"],
  ["INT8", "int8"],
  ["INT16", "int16"],
  ["INT32", "int32"],
  ["INT64", "int64"],
  ["FP32", "float32"],
  ["FP64", "float64"],
]);

/** @throws MODEL_INPUT_UNSUITABLE if the model takes INT16 and the volume holds what INT16 cannot */
export function kserveBody(volume: Volume, request: KserveRequest): Body {
  const [columns, rows, slices] = volume.grid.size;
  const bytes = columns * rows * slices * (request.datatype === "INT16" ? 2 : 4);
  const geometry = geometryOf(volume.grid, request);
  const head = Buffer.from(
    JSON.stringify({
      inputs: [
        tensor(request.input, request.datatype, [1, 1, slices, rows, columns], bytes),
        ...geometry.map(({ name, shape, values }) => tensor(name, "FP32", shape, values.byteLength)),
      ],
      parameters: { binary_data_output: true },
    }),
  );
  const voxels = voxelsAs(request.datatype, volume);
  const tail = geometry.map(({ values }) => new Uint8Array(values.buffer));
  return {
    headers: { "content-type": "application/octet-stream", [JSON_LENGTH_HEADER]: String(head.length) },
    length: head.length + bytes + bodyOf(tail, {}).length,
    *chunks() {
      yield head;
      yield* voxels();
      yield* tail;
    },
  };
}

/**
 * @param jsonLength  the header of that name, if the answer had it
 * @param output      which tensor, where there are several
 */
export function readTensor(
  answer: Uint8Array,
  { jsonLength, output }: { readonly jsonLength: string | undefined; readonly output: string | undefined },
  expected: Expected,
): LabelMap {
  if (!/^\d{1,9}$/.test(jsonLength ?? "")) throw invalid(`KServe answer without ${JSON_LENGTH_HEADER}`);
  const length = Number(jsonLength);
  if (length > Math.min(MAX_JSON_BYTES, answer.length)) throw invalid(`KServe JSON head of ${length} bytes`);
  const found = tensorNamed(output, parse(answer.subarray(0, length)));
  const type = TYPES.get(found.datatype);
  if (!type) throw invalid("KServe output is not of a plain number type");
  const size = sizeOf(found.shape);
  const placement = placementOf({ size, affine: expected.grid.affine }, expected.grid);
  const data = answer.subarray(length + found.offset, length + found.offset + found.bytes);
  const wanted = size[0] * size[1] * size[2] * bytesPer(type);
  if (found.bytes !== wanted || data.length !== wanted) {
    throw invalid(`KServe output of ${size.join("×")} ${type} has ${data.length} of ${wanted} bytes`);
  }
  const numbers = numbersIn(data, type, true);
  return {
    grid: expected.grid,
    labels: labelsOf({ size, numbers, slope: 1, intercept: 0 }, placement, expected.labels),
  };
}

function tensor(name: string, datatype: string, shape: readonly number[], bytes: number): object {
  return { name, datatype, shape, parameters: { binary_data_size: bytes } };
}

interface Geometry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

function geometryOf({ affine }: Grid, { spacing, affine: matrix }: KserveRequest): readonly Geometry[] {
  const steps = [affine.perColumn, affine.perRow, affine.perSlice].map((step) => Math.hypot(...step));
  const rows = [...toRasRows(affine).flat(), 0, 0, 0, 1];
  return [
    ...(spacing ? [{ name: spacing, shape: [1, 3], values: Float32Array.from(steps) }] : []),
    ...(matrix ? [{ name: matrix, shape: [1, 4, 4], values: Float32Array.from(rows) }] : []),
  ];
}

/** The voxels in pieces; converted on the way where the type differs, so that no second volume is held. */
function voxelsAs(datatype: KserveRequest["datatype"], { voxels }: Volume): () => Iterable<Uint8Array> {
  const stored = voxels instanceof Float32Array ? "FP32" : voxels instanceof Int16Array ? "INT16" : "UINT16";
  if (stored === datatype) {
    return () => bodyOf([new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength)], {}).chunks();
  }
  if (datatype === "INT16") {
    throw new NodeError("MODEL_INPUT_UNSUITABLE", `Model takes INT16, and the volume needs ${stored}`);
  }
  return function* converted() {
    for (let at = 0; at < voxels.length; at += CONVERTED_AT_ONCE) {
      yield new Uint8Array(new Float32Array(voxels.subarray(at, at + CONVERTED_AT_ONCE)).buffer);
    }
  };
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

/** The last three dimensions, slices first as they are sent; those before must be 1. */
function sizeOf(shape: unknown): Grid["size"] {
  if (!Array.isArray(shape) || shape.length < 3 || !shape.every((n) => Number.isSafeInteger(n) && n >= 1)) {
    throw invalid("KServe output is not of three dimensions");
  }
  const [columns, rows, slices, ...more] = (shape as number[]).toReversed();
  if (more.some((n) => n !== 1))
    throw invalid(`KServe output of shape ${shape.join("×")} is not one label map`);
  return [columns as number, rows as number, slices as number];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
