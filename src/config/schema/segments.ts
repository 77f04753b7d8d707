/**
 * What the label values of a model mean: a preset's table, entries by label value, or entries beside a preset.
 *
 * Here the values of the entries are checked, one by one. Their keys, what an entry lacks and labels given twice are
 * for cross-segments.ts, which tells them together with all else; until that is content, the map here has gaps.
 */
import * as z from "zod";
import { suggestion } from "../../routing/nearest.ts";
import { complete } from "../../segmentation/definition.ts";
import type { SegmentDefinition } from "../../segmentation/segment.ts";
import { expected, text } from "../kinds.ts";
import { LABEL_PRESETS, labelPreset } from "../presets.ts";
import { segment } from "./segment.ts";

/** 0 is the background, which may be written out and is no segment. */
export const LABEL_VALUE = /^(?:0|[1-9]\d{0,4})$/;

const preset = text(
  LABEL_PRESETS.join(", "),
  (name, refuse) => {
    if (LABEL_PRESETS.includes(name)) return name;
    const hint = suggestion(name, LABEL_PRESETS) || `; there are ${LABEL_PRESETS.join(", ")}`;
    return refuse(`there is no label preset ${JSON.stringify(name)}${hint}`);
  },
  new RegExp(`^(?:${LABEL_PRESETS.join("|")})$`),
);

export const segments = z
  .object(
    {
      preset: z
        .exactOptional(preset)
        .describe("A whole label table; entries beside it add to it or change it."),
    },
    { error: expected("segments by label value, or { preset: NAME }") },
  )
  .catchall(segment)
  .meta({ propertyNames: { title: "label", pattern: `^(?:preset|0|[1-9]\\d{0,4})$` } })
  .transform(({ preset: name, ...entries }): ReadonlyMap<number, SegmentDefinition> => {
    const table = new Map(name === undefined ? [] : labelPreset(name));
    for (const [key, written] of Object.entries(
      entries as Readonly<Record<string, z.output<typeof segment>>>,
    )) {
      if (written === "background") continue;
      const completed = complete(written, table.get(Number(key)));
      if (completed.kind === "complete") table.set(Number(key), completed.definition);
    }
    return table;
  });
