import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { arrangementOf } from "../../src/inference/arrange.ts";
import { kserveBody } from "../../src/inference/kserve.ts";
import type { FileRequest, Json, RequestShape } from "../../src/inference/model.ts";
import { type PreparedVolume, prepareVolume } from "../../src/inference/prepare.ts";
import { type Body, bodyFor } from "../../src/inference/request.ts";
import { niftiHeader } from "../../src/volume/formats/nifti-write.ts";
import type { Volume } from "../../src/volume/volume.ts";
import { oblique } from "../volume/formats/fixtures.ts";
import { kserve, multipart, raw, smallVolume } from "./support.ts";

const pool = new WorkerPool(1);
afterAll(() => pool[Symbol.asyncDispose]());

const volume = smallVolume();
const file = Buffer.concat([niftiHeader(oblique, volume.voxels), Buffer.from(volume.voxels.buffer)]);
const gzip: FileRequest = { ...raw, compression: "gzip" };

async function bodyFrom(prepared: PreparedVolume, request: RequestShape): Promise<Body> {
  if (request.format !== "kserve")
    return bodyFor(request.body, await prepared.file(request), () => undefined)!;
  const dtype = ({ INT16: "int16", UINT16: "uint16", FP32: "float32" } as const)[request.datatype];
  const { grid } = arrangementOf(prepared.volume.grid, request);
  return kserveBody({ grid, voxels: await prepared.voxels({ ...request, dtype }) }, request);
}

function bytesOf(body: Body): Buffer {
  const bytes = Buffer.concat([...body.chunks()]);
  expect(bytes.length).toBe(body.length);
  return bytes;
}

test("a raw body is the NIfTI file", async () => {
  using prepared = prepareVolume(volume, pool);
  const body = await bodyFrom(prepared, raw);
  expect(body.headers).toEqual({ "content-type": "application/octet-stream" });
  expect(bytesOf(body)).toEqual(file);
});

test("a body can be sent again", async () => {
  using prepared = prepareVolume(volume, pool);
  const body = await bodyFrom(prepared, { ...gzip, body: multipart });
  expect(bytesOf(body)).toEqual(bytesOf(body));
});

test("the voxels are sent from where they are, in pieces of at most 1 MiB", async () => {
  const voxels = new Int16Array(new SharedArrayBuffer(2 * 101 * 103 * 107));
  using prepared = prepareVolume({ grid: { ...oblique, size: [101, 103, 107] }, voxels }, pool);
  const [, ...pieces] = [...(await bodyFrom(prepared, raw)).chunks()];
  expect(pieces.length).toBe(3);
  expect(pieces.every((piece) => piece.buffer === voxels.buffer && piece.length <= 1024 * 1024)).toBe(true);
});

test("gzip holds the same file, in one member", async () => {
  using prepared = prepareVolume(volume, pool);
  const body = await bodyFrom(prepared, gzip);
  expect(body.headers["content-type"]).toBe("application/gzip");
  const bytes = bytesOf(body);
  expect(gunzipSync(bytes)).toEqual(file);
  // RFC 1952: the last four bytes are the length of the member; of the only one, if it is that of the file.
  expect(bytes.readUInt32LE(bytes.length - 4)).toBe(file.length);
});

test("gzip is made once for all models that ask for the same level", async () => {
  using prepared = prepareVolume(volume, pool);
  const [one, two, other] = await Promise.all([
    bodyFrom(prepared, gzip),
    bodyFrom(prepared, { ...gzip, body: multipart }),
    bodyFrom(prepared, { ...gzip, level: 9 }),
  ]);
  const [made] = [...one.chunks()].map((chunk) => chunk.buffer);
  const uses = (body: Body): boolean => [...body.chunks()].some((chunk) => chunk.buffer === made);
  expect([uses(two), uses(other)]).toEqual([true, false]);
});

test("gzip that could not be made is tried again when it is asked for again", async () => {
  using prepared = prepareVolume(volume, pool);
  const impossible = (): Promise<unknown> =>
    bodyFrom(prepared, { ...gzip, level: 99 }).catch((error: unknown) => error);
  const first = await impossible();
  expect(first).toBeInstanceOf(Error);
  expect(await impossible()).not.toBe(first);
});

// The parser of another implementation: that of fetch.
test("a multipart body is one file part with its name", async () => {
  using prepared = prepareVolume(volume, pool);
  const body = await bodyFrom(prepared, {
    ...gzip,
    body: { kind: "multipart", parts: [{ name: "file", filename: 'a "b".nii.gz', data: "${volume.bytes}" }] },
  });
  const form = await new Response(new Uint8Array(bytesOf(body)), { headers: body.headers }).formData();
  expect([...form.keys()]).toEqual(["file"]);
  const part = form.get("file") as File;
  expect([part.name, part.type]).toEqual(['a "b".nii.gz', "application/gzip"]);
  expect(gunzipSync(await part.arrayBuffer())).toEqual(file);
});

interface Head {
  readonly inputs: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: readonly number[];
    readonly parameters: { readonly binary_data_size: number };
  }[];
  readonly parameters: unknown;
}

function split(body: Body): { readonly head: Head; readonly binary: Buffer } {
  const bytes = bytesOf(body);
  const length = Number(body.headers["inference-header-content-length"]);
  return { head: JSON.parse(bytes.subarray(0, length).toString()) as Head, binary: bytes.subarray(length) };
}

test("a KServe body is a JSON head and the voxels, slices first", async () => {
  using prepared = prepareVolume(volume, pool);
  const { head, binary } = split(await bodyFrom(prepared, kserve));
  expect(head).toEqual({
    inputs: [
      { name: "IMAGE", datatype: "INT16", shape: [1, 1, 3, 4, 5], parameters: { binary_data_size: 120 } },
    ],
    parameters: { binary_data_output: true },
  });
  expect(binary).toEqual(Buffer.from(volume.voxels.buffer));
});

test("FP32 holds the same values as the volume", async () => {
  using prepared = prepareVolume(volume, pool);
  const { binary } = split(await bodyFrom(prepared, { ...kserve, datatype: "FP32" }));
  const found = Array.from({ length: 60 }, (_, n) => binary.readFloatLE(4 * n));
  expect(found).toEqual([...volume.voxels]);
});

test("the geometry follows as tensors: spacings, and the affine of NIfTI", async () => {
  using prepared = prepareVolume(volume, pool);
  const { head, binary } = split(
    await bodyFrom(prepared, { ...kserve, spacing: "SPACING", affine: "AFFINE" }),
  );
  expect(head.inputs.slice(1)).toEqual([
    { name: "SPACING", datatype: "FP32", shape: [1, 3], parameters: { binary_data_size: 12 } },
    { name: "AFFINE", datatype: "FP32", shape: [1, 4, 4], parameters: { binary_data_size: 64 } },
  ]);
  const floats = Array.from({ length: 19 }, (_, n) => binary.readFloatLE(120 + 4 * n));
  const wanted = [
    0.7, 1.1, 2.5, -0.6062178, 0.5168309, -0.4275252, 120.25, -0.35, -0.8951774, 0.7404953, -33.5, 0,
    0.3762222, 2.3492316, -410.125, 0, 0, 0, 1,
  ];
  floats.forEach((value, n) => expect(value).toBeCloseTo(wanted[n] ?? Number.NaN, 4));
});

test.each([
  ["float32", new Float32Array(60).fill(0.5)],
  ["uint16", new Uint16Array(60).fill(40_000)],
])("a volume of %s is not forced into INT16", async (_, voxels) => {
  const other: Volume = { grid: oblique, voxels };
  using prepared = prepareVolume(other, pool);
  await expect(bodyFrom(prepared, kserve)).rejects.toMatchObject({ code: "MODEL_INPUT_UNSUITABLE" });
});

test("a large FP32 body is converted piece by piece, without a gap", async () => {
  const voxels = new Int16Array(new SharedArrayBuffer(2 * 101 * 103 * 107));
  voxels.forEach((_, n) => {
    voxels[n] = (n * 31) % 4001;
  });
  using prepared = prepareVolume({ grid: { ...oblique, size: [101, 103, 107] }, voxels }, pool);
  const { binary } = split(await bodyFrom(prepared, { ...kserve, datatype: "FP32" }));
  const wanted = createHash("sha256").update(new Uint8Array(new Float32Array(voxels).buffer));
  expect(createHash("sha256").update(binary).digest("hex")).toBe(wanted.digest("hex"));
});

async function jsonBody(template: Json, values: Readonly<Record<string, Json>> = {}): Promise<Body> {
  using prepared = prepareVolume(volume, pool);
  const body = bodyFor({ kind: "json", template }, await prepared.file(raw), (name) => values[name])!;
  expect(body.headers).toEqual({ "content-type": "application/json" });
  return body;
}

test("a template becomes JSON, with the file as base64 and values of their own type", async () => {
  const template = {
    image: "${volume.base64}",
    url: "${volume.dataurl}",
    'a "key"': ["${spacing}", "id-${job.id}", 1.5, null, true, {}],
    text: 'é "quoted" ${note}',
  };
  const body = await jsonBody(template, { spacing: [1, 2, 3], "job.id": 'a"b', note: { x: 1 } });
  expect(JSON.parse(bytesOf(body).toString())).toEqual({
    image: file.toString("base64"),
    url: `data:application/octet-stream;base64,${file.toString("base64")}`,
    'a "key"': [[1, 2, 3], 'id-a"b', 1.5, null, true, {}],
    text: 'é "quoted" {"x":1}',
  });
});

test("base64 of pieces that do not end at a multiple of three is one base64", async () => {
  const voxels = new Int16Array(new SharedArrayBuffer(2 * 1013 * 1009));
  voxels.forEach((_, n) => {
    voxels[n] = n * 31;
  });
  using prepared = prepareVolume({ grid: { ...oblique, size: [1013, 1009, 1] }, voxels }, pool);
  const encoded = await prepared.file(raw);
  const body = bodyFor({ kind: "json", template: "${volume.base64}" }, encoded, () => undefined)!;
  const wanted = Buffer.concat([...encoded.chunks()]);
  expect(Buffer.from(bytesOf(body).toString().slice(1, -1), "base64")).toEqual(wanted);
  expect(Math.max(...[...body.chunks()].map((chunk) => chunk.length))).toBeLessThanOrEqual(2 * 1024 * 1024);
});

// V8 holds strings of at most 536870888 characters.
test("a volume whose base64 is longer than any string is sent in pieces", async () => {
  const voxels = new Int16Array(new SharedArrayBuffer(2 * 512 * 512 * 800));
  using prepared = prepareVolume({ grid: { ...oblique, size: [512, 512, 800] }, voxels }, pool);
  const body = bodyFor(
    { kind: "json", template: { a: "${volume.base64}" } },
    await prepared.file(raw),
    () => undefined,
  )!;
  expect(body.length).toBeGreaterThan(536_870_888);
  let length = 0;
  for (const chunk of body.chunks()) length += chunk.length;
  expect(length).toBe(body.length);
});

test("a form has fields of text besides its file, in order", async () => {
  using prepared = prepareVolume(volume, pool);
  const parts = [
    { name: "${param:field}", data: '{"id": "${job.id}"}', type: "application/json" },
    { name: "file", filename: "v.nii", data: "${volume.bytes}" },
  ];
  const values: Readonly<Record<string, string>> = { "param:field": "params", "job.id": "7" };
  const body = bodyFor({ kind: "multipart", parts }, await prepared.file(raw), (name) => values[name])!;
  const form = await new Response(new Uint8Array(bytesOf(body)), { headers: body.headers }).formData();
  expect([...form.keys()]).toEqual(["params", "file"]);
  expect(form.get("params")).toBe('{"id": "7"}');
  expect(Buffer.from(await (form.get("file") as File).arrayBuffer())).toEqual(file);
});
