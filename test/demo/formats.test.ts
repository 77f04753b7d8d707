/** What the demo models read and write, byte by byte where it matters: sides, scales, refusals. */
import { gunzipSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { fileIn } from "../../src/demo/models/multipart.ts";
import { readNifti, writeNifti } from "../../src/demo/models/nifti.ts";
import { writeNrrd } from "../../src/demo/models/nrrd.ts";
import { upright } from "../../src/demo/models/orientation.ts";
import { readInferRequest } from "../../src/demo/models/tensor.ts";

/** 2 × 3 × 2 voxels of int16, 1 to 12; columns 0.5, rows 0.75, slices 2 mm. */
function nifti(change: (view: DataView) => void = () => {}): Uint8Array {
  const file = new Uint8Array(352 + 24);
  const view = new DataView(file.buffer);
  view.setInt32(0, 348, true);
  [3, 2, 3, 2, 1, 1, 1, 1].forEach((n, at) => view.setInt16(40 + 2 * at, n, true));
  view.setInt16(70, 4, true);
  view.setInt16(72, 16, true);
  [1, 0.5, 0.75, 2].forEach((mm, at) => view.setFloat32(76 + 4 * at, mm, true));
  view.setFloat32(108, 352, true);
  file.set(Buffer.from("n+1\0"), 344);
  for (let n = 0; n < 12; n++) view.setInt16(352 + 2 * n, n + 1, true);
  change(view);
  return file;
}

/** sform of an image whose columns run to the left, rows backwards, slices upwards. */
function sform(view: DataView): void {
  view.setInt16(254, 1, true);
  [-0.5, 0, 0, 10, 0, -0.75, 0, 20, 0, 0, 2, 30].forEach((n, at) => view.setFloat32(280 + 4 * at, n, true));
}

test("the sform counts in RAS, so x and y change their sign", () => {
  expect(readNifti(nifti(sform)).placement).toEqual({
    origin: [-10, -20, 30],
    steps: [
      [0.5, -0, 0],
      [-0, 0.75, 0],
      [-0, -0, 2],
    ],
  });
});

test("without an sform the qform counts; half a turn about z is the quaternion (0, 0, 0, 1)", () => {
  const { placement } = readNifti(
    nifti((view) => {
      view.setInt16(252, 1, true);
      [0, 0, 1, 10, 20, 30].forEach((n, at) => view.setFloat32(256 + 4 * at, n, true));
    }),
  );
  expect(placement.origin).toEqual([-10, -20, 30]);
  expect(placement.steps.map((step) => step.map((n) => n + 0))).toEqual([
    [0.5, 0, 0],
    [0, 0.75, 0],
    [0, 0, 2],
  ]);
});

test("voxels come scaled, and out of a gzip as out of a plain file", () => {
  const scaled = nifti((view) => {
    view.setFloat32(112, 2, true);
    view.setFloat32(116, -1, true);
  });
  expect([...readNifti(scaled).values]).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]);
  expect([...readNifti(gzipSync(nifti())).values]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

test("a label map is written where the image was, compressed if the image was", () => {
  const labels = Uint8Array.from({ length: 12 }, (_, at) => at % 3);
  const image = readNifti(gzipSync(nifti(sform)));
  const answer = readNifti(writeNifti(image, labels));
  expect(answer.gzipped).toBe(true);
  expect(answer.placement).toEqual(image.placement);
  expect([...answer.values]).toEqual([...labels]);
});

test("an NRRD says its grid in LPS and holds the labels", () => {
  const labels = Uint8Array.from({ length: 12 }, (_, at) => at);
  const file = Buffer.from(writeNrrd(readNifti(nifti(sform)), labels));
  const end = file.indexOf("\n\n");
  expect(file.toString("latin1", 0, end).split("\n")).toEqual([
    "NRRD0004",
    "type: unsigned char",
    "dimension: 3",
    "space: left-posterior-superior",
    "sizes: 2 3 2",
    "space directions: (0.5,0,0) (0,0.75,0) (0,0,2)",
    "kinds: domain domain domain",
    "encoding: gzip",
    "space origin: (-10,-20,30)",
  ]);
  expect([...gunzipSync(file.subarray(end + 2))]).toEqual([...labels]);
});

test("an image lying in another way is turned upright, and its labels are turned back", () => {
  // Columns run upwards, rows to the right, slices backwards.
  const values = Int16Array.from({ length: 12 }, (_, at) => at);
  const { scan, back } = upright({
    size: [2, 3, 2],
    values,
    placement: {
      origin: [0, 0, 0],
      steps: [
        [0, 0, 0.5],
        [-0.75, 0, 0],
        [0, 2, 0],
      ],
    },
  });
  expect(scan.size).toEqual([3, 2, 2]);
  expect(scan.spacing).toEqual([0.75, 2, 0.5]);
  // x from right to left: rows backwards; then y: slices; then z: columns.
  expect([...scan.values]).toEqual([4, 2, 0, 10, 8, 6, 5, 3, 1, 11, 9, 7]);
  expect([...back(Uint8Array.from(scan.values))]).toEqual([...values]);
});

test.for<[string, Uint8Array, number]>([
  ["is no NIfTI file", Buffer.alloc(400), 415],
  ["is too short", nifti().subarray(0, 300), 400],
  ["ends before its voxels", nifti().subarray(0, 370), 400],
  ["has a datatype that nobody knows", nifti((view) => view.setInt16(70, 1792, true)), 415],
  [
    "has four dimensions",
    nifti((view) => [4, 2, 3, 1, 2].forEach((n, at) => view.setInt16(40 + 2 * at, n, true))),
    400,
  ],
  ["has voxels without a size", nifti((view) => view.setFloat32(80, 0, true)), 400],
  ["is a gzip cut short", gzipSync(nifti()).subarray(0, 40), 400],
])("a file that %s is refused", ([, file, status]) => {
  expect(() => readNifti(file)).toThrow(expect.objectContaining({ name: "BadRequest", status }));
});

test("the file of a form is found by its field, whatever stands around it", () => {
  const type = "multipart/form-data; boundary=xyz";
  const part = (disposition: string, text: string): string =>
    `--xyz\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n${text}\r\n`;
  const body = Buffer.from(
    `${part('name="note"', "a")}${part('name="file"; filename="v.nii"', "b\r\nb")}--xyz--\r\n`,
  );
  expect(Buffer.from(fileIn(body, type, "file")).toString()).toBe("b\r\nb");
  const refused = (status: number): unknown => expect.objectContaining({ name: "BadRequest", status });
  expect(() => fileIn(body, type, "other")).toThrow(refused(400));
  expect(() => fileIn(body, type, "note")).toThrow(refused(400));
  expect(() => fileIn(body, "text/plain", "file")).toThrow(refused(415));
});

test("a tensor request is held to its own numbers", () => {
  const head = (change: object = {}, parameters: object = { binary_data_output: true }): Buffer =>
    Buffer.from(
      JSON.stringify({
        inputs: [
          {
            name: "VOLUME",
            datatype: "INT16",
            shape: [1, 1, 1, 1, 2],
            parameters: { binary_data_size: 4 },
            ...change,
          },
          { name: "AFFINE", datatype: "FP32", shape: [1, 4, 4], parameters: { binary_data_size: 64 } },
        ],
        parameters,
      }),
    );
  const affine = Buffer.from(
    new Float32Array([-0.5, 0, 0, 10, 0, -0.75, 0, 20, 0, 0, 2, 30, 0, 0, 0, 1]).buffer,
  );
  const ask = (json: Buffer): ReturnType<typeof readInferRequest> =>
    readInferRequest(Buffer.concat([json, Buffer.of(1, 0, 254, 255), affine]), String(json.length));
  const image = ask(head());
  expect([...image.values]).toEqual([1, -2]);
  expect(image.size).toEqual([2, 1, 1]);
  expect(image.placement.origin).toEqual([-10, -20, 30]);
  const refused: unknown = expect.objectContaining({ name: "BadRequest", status: 400 });
  expect(() => ask(head({ shape: [1, 1, 1, 1, 3] }))).toThrow(refused);
  expect(() => ask(head({ name: "OTHER" }))).toThrow(refused);
  expect(() => ask(head({ datatype: "BYTES" }))).toThrow(refused);
  expect(() => ask(head({}, {}))).toThrow(refused);
  expect(() => readInferRequest(head(), undefined)).toThrow(refused);
});
