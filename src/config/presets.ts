/**
 * Label presets: whole label tables of known models, shipped as config/presets/labels/NAME.yaml.
 *
 * In:   a name.
 * Out:  what each label value means.
 * May:  read that folder, once for the names and once for each table asked for.
 *
 * A table is what may stand under `segments` of a model, and is read by the same schema. One that does not load is
 * our fault, not the user's: it throws.
 */
import { readdirSync, readFileSync } from "node:fs";
import { complete } from "../segmentation/definition.ts";
import type { SegmentDefinition, Segments } from "../segmentation/segment.ts";
import { segment } from "./schema/segment.ts";
import { parseSource } from "./source.ts";

const FOLDER = new URL("../../config/presets/labels/", import.meta.url);

export const LABEL_PRESETS: readonly string[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => file.slice(0, -".yaml".length))
  .sort();

const loaded = new Map<string, Segments>();

/**
 * The names that a table itself gives its labels, as the model names its files.
 *
 * @throws a bug if the table is not there or not valid
 */
export function presetNames(name: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  const table = tableOf(name) as Readonly<Record<string, unknown>>;
  for (const [value, { label }] of labelPreset(name)) {
    const written = table[value];
    names.set(value, typeof written === "string" ? written : label);
  }
  return names;
}

/** @throws a bug if the table is not there or not valid */
export function labelPreset(name: string): Segments {
  const known = loaded.get(name);
  if (known) return known;
  const table = new Map(
    Object.entries(tableOf(name)).map(([value, written]) => [
      Number(value),
      definitionOf(written, `${name}, label ${value}`),
    ]),
  );
  loaded.set(name, table);
  return table;
}

function tableOf(name: string): object {
  const source = parseSource(readFileSync(new URL(`${name}.yaml`, FOLDER), "utf8"));
  if (source.kind === "invalid") throw new Error(`bug: label preset ${name}: ${source.problems[0]?.message}`);
  return source.value as object;
}

function definitionOf(written: unknown, where: string): SegmentDefinition {
  const parsed = segment.safeParse(written, { reportInput: true });
  if (!parsed.success || parsed.data === "background")
    throw new Error(`bug: label preset ${where}: ${parsed.error?.issues[0]?.message ?? "background"}`);
  const completed = complete(parsed.data);
  if (completed.kind === "incomplete")
    throw new Error(`bug: label preset ${where}: ${completed.at} ${completed.reason}`);
  return completed.definition;
}
