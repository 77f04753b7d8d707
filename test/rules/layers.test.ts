/**
 * Who may import what: the table of the architecture as data, held against every file in src.
 *
 * Files are listed with readdirSync, not by a glob, which knip would take for a use of all of them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const STAGES = ["association", "intake", "routing", "volume", "inference", "segmentation", "delivery"];

/** By folder of src, or by file at its top: the folders and files that it may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  dicom: ["base"],
  ledger: ["base", "dicom"],

  association: ["base", "dicom"],
  intake: ["base", "dicom", "ledger"],
  routing: ["base", "dicom"],
  volume: ["base", "dicom"],
  inference: ["base", "dicom", "volume"],
  segmentation: ["base", "dicom", "volume"],
  delivery: ["base", "dicom", "ledger"],
  ops: ["base", "dicom", "ledger"],

  config: ["base", "dicom", "routing", "inference", "segmentation", "ops"],
  "work-ahead.ts": ["base", "dicom", "ledger", "intake", "routing", "volume"],
  "result-shape.ts": ["dicom", "delivery", "inference", "segmentation"],
  "stages.ts": ["base", "dicom", "ledger", ...STAGES, "result-shape.ts", "work-ahead.ts"],
  pipeline: ["base", "dicom", "ledger", ...STAGES, "stages.ts"],
  "picture.ts": ["base", "dicom", "ledger", "intake", "delivery", "segmentation", "volume"],
  "worker-modules.ts": ["base", "delivery", "inference", "intake", "segmentation", "volume"],
  "node.ts": [
    "base",
    "dicom",
    "ledger",
    ...STAGES,
    "ops",
    "config",
    "stages.ts",
    "picture.ts",
    "pipeline",
    "worker-modules.ts",
  ],
  // A client of the node and of the models, like any other; the node itself only as a whole.
  demo: ["base", "dicom", "association", "ops", "config", "node.ts"],
  // Asks models as the node does, without the rest of it.
  bench: ["base", "inference", "volume", "worker-modules.ts"],
  // A command may use any stage by itself; it is no stage, and nobody imports it.
  commands: [
    "base",
    "dicom",
    "ledger",
    ...STAGES,
    "ops",
    "config",
    "demo",
    "pipeline",
    "result-shape.ts",
    "stages.ts",
    "node.ts",
  ],
  "main.ts": ["base", "bench", "commands", "demo"],
};

/** Of the stages, config takes only what is pure. */
const CONFIG_MAY_IMPORT = new Set([
  "dicom/ae-title.ts",
  "dicom/constants.ts",
  "inference/arrange.ts",
  "inference/json.ts",
  "inference/model.ts",
  "inference/target.ts",
  "inference/template.ts",
  "inference/verdict.ts",
  "ops/http/secret.ts",
  "ops/notify/events.ts",
  "routing/expression.ts",
  "routing/nearest.ts",
  "segmentation/codes.ts",
  "segmentation/concept.ts",
  "segmentation/definition.ts",
  "segmentation/segment.ts",
  "segmentation/vocabulary.ts",
]);

/** By package: where it is known. A prefix of the path of a file in src. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  "dcmjs-dimse": ["association/"],
  dcmjs: ["dicom/dictionary.ts"],
  undici: ["inference/client.ts", "demo/"],
  "p-queue": ["base/lane.ts"],
  winston: ["ops/"],
  fastify: ["ops/http/"],
  "@fastify/cookie": ["ops/http/"],
  "@fastify/helmet": ["ops/http/"],
  "@fastify/rate-limit": ["ops/http/"],
  "@niivue/niivue": ["ops/pages/assets/", "ops/http/assets.ts"],
  "prom-client": ["ops/metrics.ts"],
  nodemailer: ["ops/notify/email.ts"],
  "node:sqlite": ["ledger/"],
  zod: ["config/"],
  yaml: ["config/", "demo/"],
  "@marcbachmann/cel-js": ["routing/"],
  commander: ["main.ts", "commands/"],
  "dcmjs-codecs": ["volume/codecs/"],
  "@cornerstonejs/codec-charls": ["volume/codecs/"],
  "@cornerstonejs/codec-openjpeg": ["volume/codecs/"],
  "@cornerstonejs/codec-openjph": ["volume/codecs/"],
};

type Files = ReadonlyMap<string, string>;

const FILES: Files = new Map(
  readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => [path.replaceAll("\\", "/"), readFileSync(join("src", path), "utf8")]),
);

/** `import … from "x"`, `export … from "x"`, `import "x"`, `import("x")`, and files started as workers. */
const IMPORT =
  /^(?:import|export)\b[^;"]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"|\bnew URL\(\s*"(\.[^"]+\.ts)"/gm;

function importsOf(source: string): readonly string[] {
  return Array.from(
    source.matchAll(IMPORT),
    (found) => found.slice(1).find((name) => name !== undefined) ?? "",
  );
}

function layerOf(path: string): string {
  return path.split("/")[0] ?? path;
}

function violations(files: Files): readonly string[] {
  return [...files].flatMap(([path, source]) =>
    importsOf(source).flatMap((name) => {
      const why = name.startsWith(".")
        ? wrongLayer(path, normalize(join(dirname(path), name)))
        : wrongOwner(path, name);
      return why ? [`src/${path}: ${why}`] : [];
    }),
  );
}

function wrongLayer(path: string, target: string): string | undefined {
  const [from, to] = [layerOf(path), layerOf(target)];
  if (from === to) return undefined;
  const allowed = MAY_IMPORT[from];
  if (!allowed) return `${from} is not in the table`;
  if (!allowed.includes(to)) return `${from} may not import ${to} (${target})`;
  const isPure = from !== "config" || to === "base" || CONFIG_MAY_IMPORT.has(target);
  return isPure ? undefined : `config may not import ${target}`;
}

function wrongOwner(path: string, name: string): string | undefined {
  const parts = name.split("/");
  const pack = name.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? name);
  const owners = OWNERS[pack];
  if (!owners) return pack.startsWith("node:") ? undefined : `${pack} has no owner in the table`;
  return owners.some((owner) => path.startsWith(owner))
    ? undefined
    : `${pack} belongs to ${owners.join(", ")}`;
}

test("every import in src is one that the architecture allows", () => {
  expect(violations(FILES)).toEqual([]);
});

test("all files of src were looked at, with all their imports", () => {
  expect(FILES.size).toBeGreaterThan(80);
  const imports = [...FILES.values()].flatMap(importsOf);
  expect(imports.length).toBeGreaterThan(300);
  const lines = [...FILES.values()].flatMap((source) => source.match(/^.*\bfrom "[^"]+";$/gm) ?? []);
  expect(imports.length).toBeGreaterThanOrEqual(lines.length);
});

test("every dependency has its owner in the table", () => {
  const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
    readonly dependencies: object;
  };
  expect(Object.keys(dependencies).filter((pack) => !(pack in OWNERS))).toEqual([]);
});

test("imports of every form are found where they are not allowed", () => {
  const planted = new Map([
    [
      "routing/a.ts",
      `import {\n  type A,\n  b,\n} from "../intake/spool.ts";\nimport type { Config } from "../config/schema.ts";`,
    ],
    ["volume/b.ts", `export { x } from "../association/scp.ts";\nconst y = await import("undici");`],
    [
      "delivery/c.ts",
      `import "dcmjs-dimse";\nimport pkg from "@unknown/pack/deep";\nimport { readFile } from "node:fs";`,
    ],
    ["config/d.ts", `import { route } from "../routing/rules.ts";\nimport * as z from "zod";`],
    ["inference/e.ts", `const task = new URL("../segmentation/task.ts", import.meta.url);`],
    ["other/f.ts", `import { a } from "../base/log.ts";`],
  ]);
  expect(violations(planted)).toEqual([
    "src/routing/a.ts: routing may not import intake (intake/spool.ts)",
    "src/routing/a.ts: routing may not import config (config/schema.ts)",
    "src/volume/b.ts: volume may not import association (association/scp.ts)",
    "src/volume/b.ts: undici belongs to inference/client.ts, demo/",
    "src/delivery/c.ts: dcmjs-dimse belongs to association/",
    "src/delivery/c.ts: @unknown/pack has no owner in the table",
    "src/config/d.ts: config may not import routing/rules.ts",
    "src/inference/e.ts: inference may not import segmentation (segmentation/task.ts)",
    "src/other/f.ts: other is not in the table",
  ]);
});
