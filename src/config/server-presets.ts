/**
 * Presets: what follows from the kind of a model server need not be written again.
 *
 * In:   the config as written; the fragments under config/presets/servers.
 * Out:  the config with each model's settings laid over those of its preset; or a finding for a preset that is none.
 * Pure, but for readPresets, which reads that folder once.
 *
 * Groups are laid over each other key by key; a value, a list, a body, or a choice of another kind takes the
 * place of the preset's. Nothing of a preset is hidden: it is a file that can be read, and copied instead.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { suggestion } from "../routing/nearest.ts";
import type { Finding } from "./problems.ts";
import { parseSource } from "./source.ts";

type Group = Readonly<Record<string, unknown>>;
export type Presets = ReadonlyMap<string, Group>;

const FOLDER = fileURLToPath(new URL("../../config/presets/servers", import.meta.url));

let read: Presets | undefined;

/** By name: that of the file without its ending. */
export function readPresets(): Presets {
  read ??= new Map(
    readdirSync(FOLDER)
      .filter((name) => name.endsWith(".yaml"))
      .sort()
      .map((name) => {
        const source = parseSource(readFileSync(`${FOLDER}/${name}`, "utf8"));
        if (source.kind !== "source" || !isGroup(source.value))
          throw new Error(`bug: preset ${name} is no YAML`);
        return [name.slice(0, -".yaml".length), source.value] as const;
      }),
  );
  return read;
}

export function withPresets(
  config: unknown,
  presets: Presets,
): { readonly value: unknown; readonly findings: readonly Finding[] } {
  if (!isGroup(config) || !isGroup(config["models"])) return { value: config, findings: [] };
  const findings: Finding[] = [];
  const models = Object.entries(config["models"]).map(([name, model]) => {
    const wanted = isGroup(model) ? model["preset"] : undefined;
    if (!isGroup(model) || typeof wanted !== "string") return [name, model] as const;
    const preset = presets.get(wanted);
    if (!preset) {
      const names = [...presets.keys()];
      const hint = suggestion(wanted, names) || `; there are ${names.join(", ")}`;
      findings.push({
        path: ["models", name, "preset"],
        part: "value",
        message: `there is no preset ${wanted}${hint}`,
      });
    }
    return [name, laidOver(preset ?? {}, model)] as const;
  });
  return { value: { ...config, models: Object.fromEntries(models) }, findings };
}

/** Where another choice leaves nothing of the first one standing. */
const CHOICES: ReadonlySet<string> = new Set(["transport", "auth", "as", "multipart", "json"]);
const METHODS = ["get", "post", "put", "delete"];

function laidOver(preset: Group, own: Group): Group {
  const result: Record<string, unknown> = { ...preset };
  for (const [key, value] of Object.entries(own)) {
    const below = preset[key];
    const isJoined = isGroup(below) && isGroup(value) && key !== "body" && !isAnother(key, below, value);
    result[key] = isJoined ? laidOver(below, value) : value;
  }
  return result;
}

function isAnother(key: string, preset: Group, own: Group): boolean {
  if (METHODS.some((method) => method in own)) return true;
  if (key === "request")
    return "format" in own && (own["format"] === "kserve") !== (preset["format"] === "kserve");
  return CHOICES.has(key) && !Object.keys(own).some((each) => each in preset);
}

function isGroup(value: unknown): value is Group {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
