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
import { NodeError } from "../base/errors.ts";
import { toRasRows } from "../volume/formats/affine.ts";
import type { AnswerFile } from "../volume/formats/answer.ts";
import { invalid } from "../volume/formats/image.ts";
import type { Grid, Volume } from "../volume/volume.ts";
import type { KserveRequest } from "./model.ts";
import { type Body, bodyOf } from "./request.ts";

/** Carries the length of the JSON head, in both directions. */
export const JSON_LENGTH_HEADER = "inference-header-content-length";

const MAX_JSON_BYTES = 1024 * 1024;
/** Voxels turned into float32 at a time: 1 MiB of them. */
const CONVERTED_AT_ONCE = 256 * 1024;

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
export function tensorIn(
  answer: Uint8Array,
  { jsonLength, output }: { readonly jsonLength: string | undefined; readonly output: string | undefined },
): AnswerFile {
  if (!/^\d{1,9}$/.test(jsonLength ?? "")) throw invalid(`KServe answer without ${JSON_LENGTH_HEADER}`);
  const length = Number(jsonLength);
  if (length > Math.min(MAX_JSON_BYTES, answer.length)) throw invalid(`KServe JSON head of ${length} bytes`);
  const { datatype, shape, offset, bytes } = tensorNamed(output, parse(answer.subarray(0, length)));
  if (typeof datatype !== "string" || !Array.isArray(shape)) {
    throw invalid("KServe output without datatype and shape");
  }
  const data = answer.subarray(length + offset, length + offset + bytes);
  if (data.length < bytes) throw invalid(`KServe output has ${data.length} of ${bytes} bytes`);
  return { bytes: data, tensor: { datatype, shape } };
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
