/** One finding, answered in every form: the PACS gets the same pixels from all of them. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Grid, Vector } from "../../src/volume/volume.ts";
import { placedByItk, writtenByItk } from "../support/itk.ts";
import { type ModelDouble, startModelDouble } from "../support/model-double.ts";
import { contents } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { ONE_SEGMENT } from "../support/rig.ts";
import { readElements, readSeg } from "../support/seg-reader.ts";
import { send } from "../support/send.ts";
import { pathsOf, stage } from "./stage.ts";

/** What ITK reads of the request, with 1 where a voxel is above 0 HU. */
interface Found {
  readonly grid: Grid;
  readonly labels: Uint8Array;
  /** For files of its own. */
  readonly folder: string;
}

type Form = (found: Found) => Promise<Uint8Array> | Uint8Array;

/** Slices backwards, then rows, then columns backwards, by where the voxels lie. */
function turned({ grid, labels }: Found): { grid: Grid; numbers: Uint8Array } {
  const [columns, rows, slices] = grid.size;
  const { origin, perColumn, perRow, perSlice } = grid.affine;
  const back = (v: Vector): Vector => [-v[0], -v[1], -v[2]];
  const corner = [0, 1, 2].map(
    (at) => origin[at]! + (columns - 1) * perColumn[at]! + (slices - 1) * perSlice[at]!,
  ) as unknown as Vector;
  const numbers = new Uint8Array(labels.length);
  let to = 0;
  for (let i = columns - 1; i >= 0; i--)
    for (let j = 0; j < rows; j++)
      for (let k = slices - 1; k >= 0; k--) numbers[to++] = labels[i + columns * (j + rows * k)]!;
  return {
    grid: {
      size: [slices, rows, columns],
      affine: { origin: corner, perColumn: back(perSlice), perRow, perSlice: back(perColumn) },
    },
    numbers,
  };
}

function nrrdInRas({ grid: { size, affine }, labels }: Found): Uint8Array {
  const ras = ([x, y, z]: Vector): string => `(${-x},${-y},${z})`;
  const { origin, perColumn, perRow, perSlice } = affine;
  const header = [
    "NRRD0004",
    "type: uint8",
    "dimension: 3",
    "space: right-anterior-superior",
    `sizes: ${size.join(" ")}`,
    `space directions: ${[perColumn, perRow, perSlice].map(ras).join(" ")}`,
    "encoding: raw",
    `space origin: ${ras(origin)}`,
  ];
  return Buffer.concat([Buffer.from(`${header.join("\n")}\n\n`), labels]);
}

/** Slices fastest, as NumPy has an array of [x, y, z]. */
function rawXyz({ grid: { size }, labels }: Found): Uint8Array {
  const [columns, rows, slices] = size;
  const numbers = new Uint8Array(labels.length);
  let to = 0;
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < rows; j++)
      for (let k = 0; k < slices; k++) numbers[to++] = labels[i + columns * (j + rows * k)]!;
  return numbers;
}

const as =
  (ending: "nii.gz" | "nrrd" | "mha", type: "uint8" | "int16" | "float32"): Form =>
  ({ grid, labels, folder }) =>
    writtenByItk(folder, { grid, numbers: labels, type }, { ending, compressed: true });

const FORMS: Readonly<Record<string, readonly [Form, response: string]>> = {
  nifti: [as("nii.gz", "uint8"), "as: labelmap"],
  niftiTurned: [
    (found) => writtenByItk(found.folder, { ...turned(found), type: "int16" }, { ending: "nii.gz" }),
    "as: labelmap",
  ],
  nrrdLps: [as("nrrd", "int16"), "as: labelmap"],
  nrrdRas: [nrrdInRas, "as: labelmap"],
  metaImage: [as("mha", "float32"), "as: { masks: {} }, grid: nearest"],
  rawXyz: [rawXyz, "as: labelmap, format: { raw: uint8, layout: XYZ }"],
  bits: [({ labels }) => packed(labels), "as: { packedBits: { order: lsb } }"],
  probabilities: [
    ({ labels }) => new Uint8Array(Float32Array.from(labels, (label) => 0.25 + label / 2).buffer),
    "as: { probabilities: { background: none } }, format: { raw: float32 }",
  ],
};

function packed(labels: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(labels.length / 8));
  labels.forEach((label, at) => {
    bytes[at >> 3]! |= label << (at & 7);
  });
  return bytes;
}

test("a finding in every form is the same segmentation, byte for byte of its pixels", async () => {
  await using parts = new AsyncDisposableStack();
  const models: Record<string, { url: string; rest: string }> = {};
  let folder = "";
  for (const [name, [form, response]] of Object.entries(FORMS)) {
    const double: ModelDouble = parts.use(
      await startModelDouble(async ({ body }) => {
        const path = join(folder, `${name}.nii`);
        await writeFile(path, body);
        const { numbers, ...grid } = await placedByItk(path);
        const labels = Uint8Array.from(numbers, (value) => Number(value > 0));
        return { kind: "answer", body: await form({ grid, labels, folder }) };
      }),
    );
    const rest = `request: { format: nifti }, response: { ${response} }, ${ONE_SEGMENT}`;
    models[name] = { url: double.origin, rest };
  }
  await using rig = await stage({ models });
  folder = rig.folder;
  const r = Math.SQRT1_2;
  const series = await writeSeries(join(rig.folder, "oblique"), {
    columns: 13,
    rows: 9,
    slices: 5,
    orientation: [r, r, 0, 0, 0, -1],
    step: [-3 * r, 3 * r, 0],
  });
  await send(pathsOf(series), rig.port);
  await rig.pacs.arrived(Object.keys(FORMS).length);
  const segs = [...(await contents(rig.pacs)).values()];
  const [first, ...others] = segs.map((seg) => readElements(seg)["7fe00010"]!.bytes);
  expect(others).toHaveLength(Object.keys(FORMS).length - 1);
  for (const pixels of others) expect(Buffer.from(pixels)).toEqual(Buffer.from(first!));
  const marked = readSeg(segs[0]!).frames.reduce(
    (sum, { pixels }) => sum + pixels.filter((pixel) => pixel === 1).length,
    0,
  );
  expect(marked).toBeGreaterThan(100);
  expect(rig.journal.of("inference.noted")).toEqual([]);
});
