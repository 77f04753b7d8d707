/**
 * What the README and the files in config say is what the schema says.
 *
 * After a change of the schema, `UPDATE=1 npx vitest run --config test/vitest.config.ts test/rules/readme.test.ts`
 * writes both generated texts.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { jsonSchema, jsonSchemaFile } from "../../src/config/json-schema.ts";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { LABEL_PRESETS } from "../../src/config/presets.ts";
import { settingsTable } from "../../src/config/settings-table.ts";

const SCHEMA = "config/node.schema.json";
const [BEGIN, END] = ["<!-- settings -->", "<!-- /settings -->"];
const EXAMPLES = readdirSync("config").filter((name) => name.endsWith(".yaml"));

if (process.env["UPDATE"]) {
  writeFileSync(SCHEMA, jsonSchemaFile());
  const [before, , after] = cut(readFileSync("README.md", "utf8"));
  writeFileSync("README.md", `${before}${BEGIN}\n${settingsTable()}\n${END}${after}`);
}

function cut(readme: string): readonly [before: string, between: string, after: string] {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`README.md has no ${BEGIN} … ${END}`);
  return [readme.slice(0, begin), readme.slice(begin + BEGIN.length, end), readme.slice(end + END.length)];
}

test("the settings in the README are those of the schema", () => {
  const [, table] = cut(readFileSync("README.md", "utf8"));
  expect(table.trim()).toBe(settingsTable());
});

test("the JSON Schema in config is that of the schema", () => {
  expect(readFileSync(SCHEMA, "utf8")).toBe(jsonSchemaFile());
});

// A sample by hand, so that both the schema and the generator are held to something.
test("the table names setting, value, default and meaning", () => {
  const rows = settingsTable().split("\n");
  expect(rows).toContain(
    "| `dicom.timeouts.artim` | a duration from 1s to 10m | `25s` | How long a peer may take to send A-ASSOCIATE-RQ once connected, and to close at the end (PS3.8 9.1.5). |",
  );
  expect(rows).toContain("| `destinations.<name>.port` | 1 to 65535 | **required** | Its TCP port. |");
  expect(rows.find((row) => row.startsWith("| `models.<name>.request.format`"))).toContain(
    "| nifti or nrrd or metaimage or npy or raw or dicom-zip or kserve | **required** |",
  );
});

test("every setting has a sentence that says what it is for", () => {
  const mute = settingsTable()
    .split("\n")
    .slice(2)
    .filter((row) => !/\.( \(.*\))? \|$/.test(row));
  expect(mute).toEqual([]);
});

test("there are examples", () => {
  expect(EXAMPLES).toEqual(expect.arrayContaining(["demo.yaml", "node.example.yaml"]));
});

test.each(EXAMPLES)("config/%s loads, is on loopback, and names the schema for editors", async (name) => {
  const loaded = await loadConfig(`config/${name}`);
  if (loaded.kind === "invalid")
    throw new Error(loaded.problems.map(({ line, message }) => `${line}: ${message}`).join("\n"));
  expect(loaded.config.dicom.host).toBe("127.0.0.1");
  expect(loaded.config.dicom.callers).toEqual([{ aeTitle: "*", from: "127.0.0.1" }]);
  expect(readFileSync(`config/${name}`, "utf8")).toMatch(
    /^# yaml-language-server: \$schema=\.\/node\.schema\.json\n/,
  );
});

test.each(EXAMPLES)("the keys of config/%s are keys of the JSON Schema", (name) => {
  const known = jsonSchema().properties ?? {};
  const written = parse(readFileSync(`config/${name}`, "utf8")) as object;
  expect(Object.keys(written).filter((key) => !(key in known))).toEqual([]);
});

const README = readFileSync("README.md", "utf8");

test("the example node of the README loads", () => {
  const [, example = ""] = /```yaml\n(# yaml-language-server[^]*?)```/.exec(README) ?? [];
  expect(example).toContain("models:");
  expect(parseConfig(example, "README.md")).toMatchObject({ kind: "ok" });
});

test("every example of labels in the README loads, and its presets are those that are shipped", () => {
  const [, section = ""] = /### Name the labels\n([^]*?)\n### /.exec(README) ?? [];
  const examples = Array.from(section.matchAll(/```yaml\n(segments:[^]*?)```/g), ([, text = ""]) => text);
  expect(examples).toHaveLength(2);
  for (const example of examples) {
    const model = `    url: http://a/b\n    request: { format: nifti }\n${example.replace(/^/gm, "    ")}`;
    const node = `node: { aeTitle: A, dataDir: d }\ndicom: { callers: [{ aeTitle: A, from: "*" }] }\nmodels:\n  a:\n${model}`;
    expect(parseConfig(node, "README.md")).toMatchObject({ kind: "ok" });
  }
  const presets = Array.from(section.matchAll(/^\| `([a-z0-9-]+)` \|/gm), ([, name]) => name);
  expect(presets.toSorted()).toEqual(LABEL_PRESETS);
});

// SNOMED CT identifiers by FDI number, PS3.16 CID 4018: a transposed digit would name another tooth.
const TEETH =
  "11:422653006 12:424877001 13:860767006 14:57826002 15:36492000 16:865995000 17:863902006 18:68085002 " +
  "21:424399000 22:423185002 23:860780009 24:61897005 25:23226009 26:865988009 27:863901004 28:87704003 " +
  "31:425106001 32:423331005 33:860782001 34:2400006 35:24573005 36:866006002 37:863898000 38:74344005 " +
  "41:424575004 42:423937004 43:860785004 44:80140008 45:8873007 46:866005003 47:863899008 48:38994002";

test("the demo's teeth have the codes of the standard, and colours of their own", async () => {
  const loaded = await loadConfig("config/demo.yaml");
  const teeth = loaded.kind === "ok" ? [...(loaded.config.models.get("teeth")?.segments ?? [])] : [];
  expect(teeth.map(([value, { type }]) => `${value}:${type.value}`).join(" ")).toBe(TEETH);
  expect(new Set(teeth.map(([, { color }]) => String(color))).size).toBe(32);
});
