/** The demo models as what they are: processes with a REST API. The node's own client asks them. */
import { once } from "node:events";
import { afterAll, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { segmentAirway } from "../../src/demo/models/algorithms/airway.ts";
import { MODELS, type ModelName } from "../../src/demo/models/models.ts";
import { makePhantom } from "../../src/demo/phantom.ts";
import { startModel } from "../../src/demo/processes.ts";
import { createInference } from "../../src/inference/dispatch.ts";
import type { RequestShape } from "../../src/inference/model.ts";
import type { Grid } from "../../src/volume/volume.ts";
import { kserve, model, multipart, raw } from "../inference/support.ts";

const NAMES = Object.keys(MODELS) as ModelName[];
const models = new Map(
  await Promise.all(NAMES.map(async (name) => [name, await startModel(name, { thinkMs: 0 })] as const)),
);
afterAll(async () => {
  for (const model of models.values()) await model[Symbol.asyncDispose]();
});

const REQUESTS: Readonly<Record<ModelName, RequestShape>> = {
  bone: { ...raw, compression: "gzip", body: multipart },
  teeth: raw,
  airway: { ...kserve, input: "VOLUME", affine: "AFFINE" },
  softtissue: raw,
};

const shape = { columns: 100, rows: 100, slices: 55, spacing: 1.6 };
const phantom = await makePhantom(shape);
const upright: Grid = {
  size: [100, 100, 55],
  affine: { origin: [-79.2, -79.2, 0.8], perColumn: [1.6, 0, 0], perRow: [0, 1.6, 0], perSlice: [0, 0, 1.6] },
};

async function ask(name: ModelName, grid: Grid, voxels: Int16Array): Promise<Uint8Array | Uint16Array> {
  await using pool = new WorkerPool(1);
  const labels = [1, 2, 3, 4, ...Array.from({ length: 38 }, (_, n) => 11 + n)];
  const asked = model(models.get(name)!.url, {
    name,
    request: REQUESTS[name],
    response: { as: "labelmap", unwrap: [], echoes: {}, maxBytes: 2 ** 26 },
    segments: new Map(labels.map((label) => [label, { label: String(label) }])),
  });
  await using inference = createInference(
    { models: new Map([[name, asked]]), slots: {}, secrets: {} },
    { log: silentLog, clock: systemClock, pool },
  );
  using volume = inference.prepare({ grid, voxels });
  const options = { signal: AbortSignal.timeout(20_000), priority: 0 };
  return (await inference.infer(name, volume, options)).findings.layers[0]!;
}

test.for(NAMES)("%s is asked in its dialect and answers with a label map on the same grid", async (name) => {
  const labels = await ask(name, upright, phantom.voxels);
  expect(labels).toHaveLength(100 * 100 * 55);
  if (name !== "teeth") expect(labels.some((label) => label > 0)).toBe(true);
});

test.for(["airway", "softtissue"] as const)(
  "%s finds the same in a volume whose slices are sagittal and run from left to right",
  async (name) => {
    const [nx, ny, nz] = upright.size;
    // Columns run backwards, rows downwards, slices from left to right.
    const turned = new Int16Array(new SharedArrayBuffer(phantom.voxels.byteLength));
    const indexOf = (x: number, y: number, z: number): number => y + ny * (nz - 1 - z + nz * (nx - 1 - x));
    const each = (visit: (from: number, to: number) => void): void => {
      for (let z = 0, at = 0; z < nz; z++)
        for (let y = 0; y < ny; y++) for (let x = 0; x < nx; x++) visit(at++, indexOf(x, y, z));
    };
    each((from, to) => {
      turned[to] = phantom.voxels[from]!;
    });
    const grid: Grid = {
      size: [ny, nz, nx],
      affine: {
        origin: [79.2, -79.2, 0.8 + 54 * 1.6],
        perColumn: [0, 1.6, 0],
        perRow: [0, 0, -1.6],
        perSlice: [-1.6, 0, 0],
      },
    };
    const labels = await ask(name, grid, turned);
    const expected = await ask(name, upright, phantom.voxels);
    let different = 0;
    each((from, to) => {
      if (labels[to] !== expected[from]) different++;
    });
    expect(different).toBe(0);
  },
);

test("what a model answers is what its algorithm finds", async () => {
  const scan = { size: upright.size, spacing: [1.6, 1.6, 1.6] as const, values: phantom.voxels };
  const answered = await ask("airway", upright, phantom.voxels);
  expect(Buffer.compare(Buffer.from(answered), segmentAirway(scan))).toBe(0);
});

test.for(NAMES)(
  "%s says that it is healthy, and refuses what it cannot read with 4xx and a reason",
  async (name) => {
    const { url } = models.get(name)!;
    const health = await fetch(new URL("/health", url));
    expect(await health.json()).toMatchObject({ status: "ok", model: name });
    const nonsense = await fetch(url, { method: "POST", body: "not a volume" });
    expect(nonsense.status).toBeGreaterThanOrEqual(400);
    expect(nonsense.status).toBeLessThan(500);
    expect(await nonsense.json()).toMatchObject({ error: expect.any(String) });
    const got = await fetch(url);
    expect(got.status).toBe(405);
    expect((await fetch(new URL("/elsewhere", url))).status).toBe(404);
  },
);

test("the tensor model publishes its metadata as the protocol says", async () => {
  const { url } = models.get("airway")!;
  expect((await fetch(new URL("/v2/health/ready", url))).status).toBe(200);
  const metadata = (await (await fetch(new URL("/v2/models/airway", url))).json()) as object;
  expect(metadata).toMatchObject({ name: "airway", inputs: [{ name: "VOLUME" }, { name: "AFFINE" }] });
});

test("a model takes its think time for each request, one after another, and answers 503 when too many wait", async () => {
  await using model = await startModel("softtissue", { thinkMs: 300 });
  const started = performance.now();
  const answers = await Promise.all(
    Array.from({ length: 7 }, async () => {
      const answer = await fetch(model.url, { method: "POST", body: nifti() });
      await answer.arrayBuffer();
      return { status: answer.status, retryAfter: answer.headers.get("retry-after") };
    }),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
  expect(answers.filter(({ status, retryAfter }) => status === 503 && retryAfter === "1")).toHaveLength(2);
  expect(performance.now() - started).toBeGreaterThanOrEqual(5 * 300);
});

test("a model ends when whoever started it is gone", async () => {
  const model = await startModel("bone", { thinkMs: 0 });
  const exit = once(model.process, "exit");
  model.process.stdin.end();
  expect(await exit).toEqual([0, null]);
});

/** 3 × 3 × 3 voxels of a NIfTI-1 file, by hand: float pixdim, no sform and no qform. */
function nifti(): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(352 + 27 * 2);
  const view = new DataView(file.buffer);
  view.setInt32(0, 348, true);
  [3, 3, 3, 3, 1, 1, 1, 1].forEach((n, at) => view.setInt16(40 + 2 * at, n, true));
  view.setInt16(70, 4, true);
  view.setInt16(72, 16, true);
  [1, 2, 2, 2].forEach((mm, at) => view.setFloat32(76 + 4 * at, mm, true));
  view.setFloat32(108, 352, true);
  file.set(Buffer.from("n+1\0"), 344);
  return file;
}
