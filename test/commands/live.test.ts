/** `isocenter check --live` and `isocenter try`, against servers that are there, busy, wrong and gone. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { check } from "../../src/commands/check.ts";
import { tryModel } from "../../src/commands/try.ts";
import { type Script, startModelDouble } from "../support/model-double.ts";
import { startPacs } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { readSeg } from "../support/seg-reader.ts";
import { torchServe, triton } from "../support/server-doubles.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";

const SEGMENTS = `segments: { 1: { label: Bright, category: "SCT:91723000:Anatomical structure", type: "SCT:91609006:Mandible" } }`;

async function configIn(
  folder: string,
  models: Readonly<Record<string, string>>,
  more = "",
): Promise<string> {
  const path = join(folder, "node.yaml");
  const written = Object.entries(models).map(([name, settings]) => `  ${name}: { ${settings}, ${SEGMENTS} }`);
  await writeFile(
    path,
    `node: { aeTitle: ISOCENTER, dataDir: data }
dicom: { callers: [{ aeTitle: "*", from: 127.0.0.1 }] }
${more}
models:
${written.join("\n")}
`,
  );
  return path;
}

/** Lines of the live part, with times left out. */
async function live(models: Readonly<Record<string, string>>, more?: string) {
  await using folder = await tempFolder();
  const lines: string[] = [];
  const code = await check(await configIn(folder.path, models, more), (line) => lines.push(line), {
    live: true,
  });
  const wanted = Object.keys(models).length + (more?.match(/port:/g)?.length ?? 0);
  const said = lines.slice(-wanted).map((line) =>
    line
      .trim()
      .replace(/ \(\d+ ms\)/, "")
      .replaceAll(/ +/g, " "),
  );
  return { code, said };
}

/** KServe's metadata, as Triton publishes it. */
function metadata(change: object = {}): Script {
  const infer = triton(new Uint8Array(60));
  const said = {
    name: "teeth",
    inputs: [
      { name: "IMAGE", datatype: "FP32", shape: [-1, 1, -1, -1, -1] },
      { name: "SPACING", datatype: "FP32", shape: [1, 3] },
    ],
    outputs: [{ name: "SEG", datatype: "UINT8", shape: [-1, 1, -1, -1, -1] }],
    ...change,
  };
  return (request) =>
    request.path === "/v2/models/teeth" ? { kind: "answer", body: JSON.stringify(said) } : infer(request);
}

test("models that are ready and destinations that answer are said to be well", async () => {
  await using folder = await tempFolder();
  await using pacs = await startPacs(folder.path);
  await using one = await startModelDouble(metadata());
  await using two = await startModelDouble(torchServe(new Uint8Array()));
  await using three = await startModelDouble(() => ({ kind: "answer", status: 404 }));
  const { code, said } = await live(
    {
      teeth: `preset: kserve-v2, url: "${one.origin}/v2/models/teeth/infer", request: { input: IMAGE, spacing: SPACING }, response: { output: SEG }`,
      sinus: `preset: torchserve, url: "${two.origin}/predictions/sinus"`,
      plain: `url: "${three.origin}/predict", request: { format: nifti }`,
    },
    `destinations: { pacs: { aeTitle: PACS, host: 127.0.0.1, port: ${pacs.port} } }`,
  );
  expect(said).toEqual([
    "model teeth: ready, HTTP 200",
    "model sinus: ready, is Healthy",
    "model plain: ready, answers HTTP; without health in the config that is all there is to know",
    "destination pacs: C-ECHO answered 0000H",
  ]);
  expect(code).toBe(0);
  for (const { requests } of [one, two, three])
    for (const { method, bytes } of requests) expect([method, bytes]).toEqual(["GET", 0]);
});

test("a server that is at work is well; one that is not ready, gone, or refuses us is not", async () => {
  const state =
    (value: string): Script =>
    () => ({ kind: "answer", body: JSON.stringify({ status: value }) });
  await using busy = await startModelDouble(state("BUSY"));
  await using starting = await startModelDouble(state("STARTING"));
  await using unready = await startModelDouble(() => ({ kind: "answer", status: 400 }));
  await using refusing = await startModelDouble(() => ({ kind: "answer", status: 401 }));
  const gone = await startModelDouble(() => ({ kind: "silence" }));
  await gone[Symbol.asyncDispose]();
  const health =
    "health: { get: /health, state: { pointer: /status, ready: [READY], busy: [BUSY] } }, request: { format: nifti }";
  const { code, said } = await live(
    {
      busy: `url: "${busy.origin}", ${health}`,
      starting: `url: "${starting.origin}", ${health}`,
      unready: `preset: kserve-v2, url: "${unready.origin}/v2/models/m/infer", request: { input: I }`,
      refusing: `url: "${refusing.origin}", ${health}`,
      gone: `url: "${gone.origin}", ${health}`,
      secret: `url: "${busy.origin}", ${health}, auth: { bearer: "\${secret:NOWHERE_AT_ALL}" }`,
    },
    `destinations: { pacs: { aeTitle: PACS, host: 127.0.0.1, port: ${new URL(gone.origin).port} } }`,
  );
  expect(said.slice(0, 4)).toEqual([
    "model busy: busy, is BUSY",
    "model starting: not-ready, is STARTING",
    "model unready: not-ready, HTTP 400",
    "model refusing: unfit, HTTP 401, credentials refused",
  ]);
  expect(said[4]).toMatch(/^model gone: away, connection failed \(ECONNREFUSED\)/);
  expect(said[5]).toBe("model secret: away, Secret NOWHERE_AT_ALL: not in the environment");
  expect(said[6]).toMatch(/^destination pacs: .*ECONNREFUSED/);
  expect(code).toBe(1);
});

test.each([
  [
    { inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 1, 1, 1] }] },
    "has no input IMAGE, but image",
  ],
  [
    { inputs: [{ name: "IMAGE", datatype: "FP16", shape: [1, 1, 1, 1, 1] }] },
    "input IMAGE is FP16, not FP32",
  ],
  [
    { inputs: [{ name: "IMAGE", datatype: "FP32", shape: [-1, -1, -1] }] },
    "input IMAGE has 3 axes, not NCZYX",
  ],
  [{ outputs: [{ name: "MASK" }] }, "has no output SEG, but MASK"],
])("a model whose tensors are other ones is unfit: %o", async (change, detail) => {
  await using server = await startModelDouble(metadata(change));
  const { code, said } = await live({
    teeth: `preset: kserve-v2, url: "${server.origin}/v2/models/teeth/infer", request: { input: IMAGE }, response: { output: SEG }`,
  });
  expect([code, said]).toEqual([1, [`model teeth: unfit, ${detail}`]]);
});

const bright: Script = ({ body }) => threshold(gunzipSync(body), 500);

interface Options {
  readonly model?: string;
  readonly series?: string;
  /** A second series in the same folder. */
  readonly more?: boolean;
  readonly settings?: string;
}

async function tried(script: Script, options: Options = {}) {
  await using folder = await tempFolder();
  await using server = await startModelDouble(script);
  const series = join(folder.path, "series");
  await writeSeries(series);
  if (options.more) await writeSeries(join(series, "more"), { seed: "more", slices: 2 });
  const config = await configIn(folder.path, {
    bright: `url: "${server.origin}/predict", request: { format: nifti, compression: gzip }, ${options.settings ?? "attempts: 1"}`,
  });
  const printed: string[] = [];
  const complained: string[] = [];
  const { model = "bright", series: uid } = options;
  const code = await tryModel(
    { config, model, folder: series, ...(uid !== undefined && { series: uid }) },
    { print: (line) => printed.push(line), complain: (line) => complained.push(line) },
  );
  const files = (await readdir(folder.path)).filter((name) => name.startsWith("series.")).sort();
  const seg = files.find((name) => name.endsWith(".dcm"));
  return {
    code,
    printed,
    complained,
    files,
    seg: seg === undefined ? undefined : readSeg(await readFile(join(folder.path, seg))),
  };
}

test("one model is tried on a folder; the SEG lies beside it, with the time of every step", async () => {
  const { code, printed, complained, files, seg } = await tried(bright);
  expect([code, complained]).toEqual([0, []]);
  expect(files).toEqual(["series.bright.binary1.dcm"]);
  expect(printed.map((line) => line.replace(/ +[\d.]{5,} s.*$/, "").trim())).toEqual([
    "files read",
    "volume built",
    expect.stringMatching(/^7 × 5 × 3 voxels, series [\d.]+$/),
    "request made",
    "request sent",
    "model at work",
    "answer read",
    "SEG written",
    expect.stringMatching(/^segments 1, frames 2: .*series\.bright\.binary1\.dcm$/),
  ]);
  // 7 × column + 131 × row + 1009 × slice - 1024 is above 500 in so many voxels of slices 1 and 2.
  const bits = seg?.frames.map(({ pixels }) => Uint8Array.from(pixels).reduce((sum, bit) => sum + bit, 0));
  const above = (slice: number): number =>
    Array.from({ length: 35 }, (_, n) => 7 * (n % 7) + 131 * Math.floor(n / 7) + 1009 * slice - 1024).filter(
      (v) => v > 500,
    ).length;
  expect(bits).toEqual([above(1), above(2)]);
});

test("a model that finds nothing says so, and leaves no file", async () => {
  const { code, printed, files } = await tried(({ body }) => threshold(gunzipSync(body), 30_000));
  expect([code, files]).toEqual([0, []]);
  expect(printed.at(-1)).toBe("  no finding: no voxel has a label");
});

test("of several series one has to be chosen", async () => {
  const { code, complained } = await tried(bright, { more: true });
  expect(code).toBe(1);
  const [, uid] = /: ([\d.]+) \(\d images\), ([\d.]+) \(\d images\)$/.exec(complained[0] ?? "") ?? [];
  expect(complained[0]).toContain("holds 2 series, choose one with --series");
  const chosen = await tried(bright, { more: true, series: uid! });
  expect([chosen.code, chosen.complained]).toEqual([0, []]);
});

test.each<[string, Script, Options, RegExp]>([
  [
    "a model that is not in the config",
    bright,
    { model: "dark" },
    /^There is no model dark; there are bright$/,
  ],
  [
    "a model that is busy",
    () => ({ kind: "answer", status: 503 }),
    {},
    /^Model bright: HTTP 503, busy; try again later$/,
  ],
  [
    "a model that refuses",
    () => ({ kind: "answer", status: 422, body: "bad shape" }),
    {},
    /^Model bright: HTTP 422, request refused: bad shape$/,
  ],
  [
    "an answer that is none",
    () => ({ kind: "answer", body: "<html>" }),
    {},
    /^Model bright: Answer is none of/,
  ],
])("%s is said in one line", async (_, script, options, message) => {
  const { code, complained, files } = await tried(script, options);
  expect([code, files]).toEqual([1, []]);
  expect(complained).toEqual([expect.stringMatching(message)]);
});

test("measurements are kept beside the SEG", async () => {
  const script: Script = ({ body }) => {
    const reply = threshold(gunzipSync(body), 500);
    if (reply.kind !== "answer") throw new Error("It has no answer");
    return {
      kind: "answer",
      body: JSON.stringify({ mask: Buffer.from(reply.body ?? "").toString("base64"), ml: 1.5 }),
    };
  };
  const settings = "response: { unwrap: [{ pointer: /mask }, base64], measurements: [{ pointer: /ml }] }";
  const { code, files } = await tried(script, { settings });
  expect([code, files]).toEqual([0, ["series.bright.binary1.dcm", "series.bright.json"]]);
});
