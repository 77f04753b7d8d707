/** What one label value means, as it is written: a name, a code, or settings. */
import * as z from "zod";
import { suggestion } from "../../routing/nearest.ts";
import { parseCode } from "../../segmentation/codes.ts";
import { type Concept, readConcept } from "../../segmentation/concept.ts";
import type { Code } from "../../segmentation/segment.ts";
import {
  CATEGORY_NAMES,
  findCategory,
  findSide,
  SIDE_NAMES,
  TERM_NAMES,
} from "../../segmentation/vocabulary.ts";
import { expected, line, type Refuse, section, text, whole } from "../kinds.ts";

const NAME_OR_CODE = "a name such as left maxillary sinus or tooth-36, or a code as scheme:value:meaning";

function concept(written: string, refuse: Refuse): Concept | undefined {
  const read = readConcept(written);
  switch (read.kind) {
    case "concept":
      return read.concept;
    case "wrong":
      return refuse(read.reason);
    case "unknown":
      return unknown(written, TERM_NAMES, refuse);
  }
}

/** A code of a context group: by the name it has there, or written out. */
function coded(allowed: string, find: (name: string) => Code | undefined, names: readonly string[]) {
  return text(allowed, (written, refuse): Code | undefined => {
    const found = find(written);
    if (found) return found;
    if (!written.includes(":")) return unknown(written, names, refuse);
    const parsed = parseCode(written);
    return parsed.kind === "code" ? parsed.code : refuse(parsed.reason);
  });
}

function unknown(name: string, names: readonly string[], refuse: Refuse): undefined {
  const hint = suggestion(name, names) || "; write a code as scheme:value:meaning";
  return refuse(`${JSON.stringify(name)} is no known name${hint}`);
}

const channel = whole(0, 255);

const settings = section({
  type: z
    .exactOptional(text(NAME_OR_CODE, concept))
    .describe(
      "Segmented Property Type (PS3.16 CID 7151); required, save for a change to a preset's segment.",
    ),
  label: z
    .exactOptional(line(64))
    .describe("(0062,0005) Segment Label, unique in the model; by default the name of the type."),
  category: z
    .exactOptional(coded("a name of CID 7150 such as tissue, or a code", findCategory, CATEGORY_NAMES))
    .describe("Segmented Property Category (PS3.16 CID 7150); by default that of the named type."),
  modifier: z
    .exactOptional(coded("left, right, bilateral or a code", findSide, SIDE_NAMES))
    .describe("Modifier of the type, such as the laterality (PS3.16 CID 244)."),
  anatomy: z
    .exactOptional(text(NAME_OR_CODE, concept))
    .describe("Anatomic region, where the type is a finding or an object."),
  color: z
    .exactOptional(
      z.tuple([channel, channel, channel], { error: expected("[red, green, blue], 0 to 255 each") }),
    )
    .meta({ title: "[red, green, blue], 0 to 255 each" })
    .describe("Recommended display colour; by default that of the named type, or one of a palette."),
  tracking: z
    .exactOptional(line(64))
    .describe("(0062,0020) Tracking ID, to be kept when the label changes; by default model and label."),
});

/** Label 0 may be written out. */
export function isBackground(written: unknown): boolean {
  return typeof written === "string" && /^\s*background\s*$/i.test(written);
}

const short = text(NAME_OR_CODE, (written, refuse) => {
  if (isBackground(written)) return "background" as const;
  const type = concept(written, refuse);
  return type && { type };
}).describe("What the label value means, in one word or code; 0 may only be background.");

export const segment = z.union([short, settings], { error: expected(`${NAME_OR_CODE}, or settings`) });
