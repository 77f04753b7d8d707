/**
 * The segments of all models, entry by entry with what a preset and the other entries say: keys that are no label
 * values, what an entry lacks, labels given twice. Pure, but for the presets.
 *
 * In:   the models as written, valid or not.
 * Out:  findings. An entry that the schema refuses is left to the schema.
 */
import { suggestion } from "../routing/nearest.ts";
import { complete } from "../segmentation/definition.ts";
import type { SegmentDefinition, Segments } from "../segmentation/segment.ts";
import { found } from "./kinds.ts";
import { LABEL_PRESETS, labelPreset } from "./presets.ts";
import type { Finding } from "./problems.ts";
import { isBackground, segment } from "./schema/segment.ts";
import { LABEL_VALUE } from "./schema/segments.ts";
import type { Path } from "./source.ts";
import { entries, type Group, group } from "./written.ts";

export function segmentFindings(models: unknown): readonly Finding[] {
  return entries(models).flatMap(([model, settings]) => {
    const written = settings["segments"];
    const isGroup = typeof written === "object" && written !== null && !Array.isArray(written);
    return isGroup ? findingsOf(group(written), ["models", model, "segments"]) : [];
  });
}

function findingsOf(written: Group, path: Path): readonly Finding[] {
  const { preset, ...byLabel } = written;
  if (Object.keys(written).every((key) => key === "0" && isBackground(written[key])))
    return [onValue(path, "no segment, allowed: at least one by its label value, or a preset")];
  const table =
    typeof preset === "string" && LABEL_PRESETS.includes(preset) ? labelPreset(preset) : undefined;
  const isTableUnknown = preset !== undefined && !table;
  const taken = new Taken(table ?? new Map(), new Set(Object.keys(byLabel).map(Number)));
  return Object.entries(byLabel).flatMap(([key, entry]): readonly Finding[] => {
    const at = [...path, key];
    const wrongKey = keyFault(key, entry);
    if (wrongKey !== undefined) return [{ path: at, part: "key", message: wrongKey }];
    const parsed = segment.safeParse(entry);
    if (!parsed.success) return taken.findings(key, writtenNames(entry), at);
    if (parsed.data === "background")
      return key === "0" ? [] : [onValue(at, "the background is label 0 and no other")];
    const completed = complete(parsed.data, table?.get(Number(key)));
    if (completed.kind === "complete") return taken.findings(key, completed.definition, at);
    // An unknown preset is told already; what it would have said is not known.
    if (completed.at === "type" && isTableUnknown) return [];
    const isShort = typeof entry === "string";
    return [onValue(isShort ? at : [...at, completed.at], isShort ? spelt(completed) : completed.reason)];
  });
}

/** Of an entry that the schema refuses for something else. */
function writtenNames(entry: unknown): Partial<SegmentDefinition> {
  const { label, tracking } = group(entry);
  return {
    ...(typeof label === "string" && { label }),
    ...(typeof tracking === "string" && { trackingId: tracking }),
  };
}

/** An entry of one word has no settings to point at. */
function spelt({ at, reason }: { readonly at: string; readonly reason: string }): string {
  return `${at} ${reason}; write { type, ${at} }`;
}

const LABELS = "a label value from 1 to 65535";

function keyFault(key: string, entry: unknown): string | undefined {
  if (!LABEL_VALUE.test(key) || Number(key) > 65535) return found(key, LABELS) + suggestion(key, ["preset"]);
  return key === "0" && !isBackground(entry) ? `${found(key, LABELS)}; 0 is the background` : undefined;
}

/** Labels and tracking IDs of a model so far; a preset's count, save for the entries that are written anew. */
class Taken {
  readonly #labels = new Map<string, string>();
  readonly #tracking = new Map<string, string>();

  constructor(preset: Segments, changed: ReadonlySet<number>) {
    for (const [value, { label }] of preset) if (!changed.has(value)) this.#labels.set(label, String(value));
  }

  findings(key: string, { label, trackingId }: Partial<SegmentDefinition>, at: Path): readonly Finding[] {
    return [
      ...again(this.#labels, key, label, [...at, "label"], "label"),
      ...again(this.#tracking, key, trackingId, [...at, "tracking"], "tracking ID"),
    ];
  }
}

function again(
  taken: Map<string, string>,
  key: string,
  text: string | undefined,
  path: Path,
  what: string,
): readonly Finding[] {
  if (text === undefined) return [];
  const other = taken.get(text);
  if (other !== undefined)
    return [onValue(path, `segment ${other} has the ${what} ${JSON.stringify(text)} already`)];
  taken.set(text, key);
  return [];
}

function onValue(path: Path, message: string): Finding {
  return { path, part: "value", message };
}
