/**
 * The Open Inference Protocol's binary tensors: a JSON head, then raw little-endian numbers. Pure.
 *
 * The volume is the tensor of five dimensions; AFFINE says where it lies, as in a NIfTI file.
 *
 * @see https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md
 */
import { BadRequest, type Image, type Placement, type Size, type Vector } from "./scan.ts";

/** What GET /v2/models/… says, and what a request is held to. */
export const AIRWAY_METADATA = {
  name: "airway",
  versions: ["1"],
  platform: "isocenter-demo",
  inputs: [
    { name: "VOLUME", datatype: "INT16", shape: [1, 1, -1, -1, -1] },
    { name: "AFFINE", datatype: "FP32", shape: [1, 4, 4] },
  ],
  outputs: [{ name: "LABELS", datatype: "UINT8", shape: [1, 1, -1, -1, -1] }],
} as const;

interface Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const WIDTH: Readonly<Record<string, number>> = { INT16: 2, FP32: 4 };

/**
 * @param jsonLength  the header Inference-Header-Content-Length
 * @throws BadRequest 400
 */
export function readInferRequest(body: Uint8Array, jsonLength: string | undefined): Image {
  const length = Number(jsonLength ?? Number.NaN);
  if (!Number.isInteger(length) || length < 2 || length > body.length) {
    throw new BadRequest(400, "Inference-Header-Content-Length is missing or wrong");
  }
  const head = parse(body.subarray(0, length));
  if (head.parameters?.binary_data_output !== true) {
    throw new BadRequest(400, "this server answers in binary only: set binary_data_output");
  }
  const tensors = tensorsIn(head, body.subarray(length));
  const volume = tensors.find(({ name }) => name === AIRWAY_METADATA.inputs[0].name);
  if (!volume) throw new BadRequest(400, "input VOLUME is missing");
  const [one, channels, slices, rows, columns] = volume.shape;
  if (volume.shape.length !== 5 || one !== 1 || channels !== 1) {
    throw new BadRequest(400, "VOLUME must have the shape [1, 1, slices, rows, columns]");
  }
  const copy = new Uint8Array(volume.bytes).buffer;
  return {
    size: [columns, rows, slices] as unknown as Size,
    placement: placementOf(tensors.find(({ name }) => name === AIRWAY_METADATA.inputs[1].name)),
    values: volume.datatype === "INT16" ? new Int16Array(copy) : new Float32Array(copy),
  };
}

/** @returns the body, and the length of its JSON head */
export function writeInferResponse(
  [columns, rows, slices]: Size,
  labels: Uint8Array,
): { readonly body: Uint8Array; readonly jsonLength: number } {
  const head = Buffer.from(
    JSON.stringify({
      model_name: AIRWAY_METADATA.name,
      model_version: AIRWAY_METADATA.versions[0],
      outputs: [
        {
          name: AIRWAY_METADATA.outputs[0].name,
          datatype: "UINT8",
          shape: [1, 1, slices, rows, columns],
          parameters: { binary_data_size: labels.length },
        },
      ],
    }),
  );
  return { body: Buffer.concat([head, labels]), jsonLength: head.length };
}

interface Head {
  readonly inputs?: readonly {
    readonly name?: unknown;
    readonly datatype?: unknown;
    readonly shape?: unknown;
    readonly parameters?: { readonly binary_data_size?: unknown };
  }[];
  readonly parameters?: { readonly binary_data_output?: unknown };
}

function parse(bytes: Uint8Array): Head {
  try {
    const head: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    if (typeof head === "object" && head !== null) return head;
  } catch {
    // Said below: what is not JSON and what is not an object are the same mistake.
  }
  throw new BadRequest(400, "the head of the request is not a JSON object");
}

function tensorsIn(head: Head, data: Uint8Array): readonly Tensor[] {
  let at = 0;
  return (Array.isArray(head.inputs) ? (head.inputs as NonNullable<Head["inputs"]>) : []).map((input) => {
    const { name, datatype, shape, parameters } = input;
    const bytes = parameters?.binary_data_size;
    const width = WIDTH[String(datatype)];
    if (width === undefined || !Array.isArray(shape) || !shape.every((n) => Number.isInteger(n) && n > 0)) {
      throw new BadRequest(400, `input ${String(name)}: datatype INT16 or FP32 and a shape are needed`);
    }
    const wanted = (shape as number[]).reduce((product, n) => product * n, width);
    if (bytes !== wanted || at + wanted > data.length) {
      throw new BadRequest(400, `input ${String(name)}: ${wanted} bytes of binary data are needed`);
    }
    at += wanted;
    return {
      name: String(name),
      datatype: String(datatype),
      shape: shape as number[],
      bytes: data.subarray(at - wanted, at),
    };
  });
}

function placementOf(affine: Tensor | undefined): Placement {
  if (affine?.datatype !== "FP32" || affine.bytes.length !== 64) {
    throw new BadRequest(400, "input AFFINE must be FP32 of the shape [1, 4, 4]");
  }
  const m = new Float32Array(new Uint8Array(affine.bytes).buffer);
  const column = (at: number): Vector => [-m[at]!, -m[4 + at]!, m[8 + at]!];
  const steps = [column(0), column(1), column(2)] as const;
  if (steps.some((step) => !(Math.hypot(...step) > 0))) throw new BadRequest(400, "AFFINE has no size");
  return { origin: column(3), steps };
}
