/**
 * The vocabulary: what a segment can be, by name. Pure.
 *
 * In:   a name as people and models write it: any case, words parted by spaces, hyphens or underscores, the side
 *       before or behind ("left maxillary sinus", "kidney_left", "rib_left_4").
 * Out:  the term, and the side where the name has one.
 *
 * A side beside a thing that has none, or has its own, is refused: it would make a code that says two things.
 */
import type { Code } from "./segment.ts";
import { FINDINGS } from "./vocabulary/findings.ts";
import { HEAD } from "./vocabulary/head.ts";
import { ORGANS } from "./vocabulary/organs.ts";
import { SKELETON } from "./vocabulary/skeleton.ts";
import { TEETH } from "./vocabulary/teeth.ts";
import { CATEGORY, type Term } from "./vocabulary/term.ts";

export type Found =
  | { readonly kind: "term"; readonly term: Term; readonly side?: Code }
  | { readonly kind: "wrong"; readonly reason: string }
  | { readonly kind: "unknown" };

/** Lateralities, PS3.16 CID 244. */
export const SIDE = {
  left: { scheme: "SCT", value: "7771000", meaning: "Left" },
  right: { scheme: "SCT", value: "24028007", meaning: "Right" },
  bilateral: { scheme: "SCT", value: "51440002", meaning: "Bilateral" },
  unilateral: { scheme: "SCT", value: "66459002", meaning: "Unilateral" },
} as const satisfies Record<string, Code>;

const TERMS: readonly Term[] = [...HEAD, ...TEETH, ...ORGANS, ...SKELETON, ...FINDINGS];
const BY_NAME = new Map(
  TERMS.flatMap((term) => [term.label, term.type.meaning, ...term.also].map((name) => [plain(name), term])),
);
const BY_CODE = new Map(TERMS.map((term) => [keyOf(term.type), term]));

export function findTerm(name: string): Found {
  const words = plain(name);
  const term = BY_NAME.get(words);
  if (term) return { kind: "term", term };
  if (/^(fdi|tooth) \d+$/.test(words))
    return { kind: "wrong", reason: `there is no tooth ${words.split(" ")[1]} in FDI notation` };
  const [, before = "", side = "", behind = ""] = /^(.*?)\b(left|right)\b(.*)$/.exec(words) ?? [];
  const sided = BY_NAME.get(`${before.trim()} ${behind.trim()}`.trim());
  if (!sided) return { kind: "unknown" };
  const conflict = conflictOf(sided);
  return conflict === undefined
    ? { kind: "term", term: sided, side: SIDE[side as "left" | "right"] }
    : { kind: "wrong", reason: conflict };
}

/** Why a side may not be said beside a term in one name, or undefined. */
function conflictOf({ label, side }: Term): string | undefined {
  switch (side) {
    case "pair":
      return undefined;
    case "own":
      return `the code of ${label} names its side already`;
    case "one":
      return `${label} is not one of a pair; to name a side of it all the same, write it as modifier`;
  }
}

export function termOfCode(code: Code): Term | undefined {
  return BY_CODE.get(keyOf(code));
}

export function isSide(code: Code): boolean {
  return Object.values<Code>(SIDE).some((side) => keyOf(side) === keyOf(code));
}

/** The label of a term on one side: Left maxillary sinus. */
export function labelOf({ label }: Term, side: Code | undefined): string {
  return side ? `${side.meaning} ${label.charAt(0).toLowerCase()}${label.slice(1)}` : label;
}

/** A category of CID 7150 by its meaning. */
export function findCategory(name: string): Code | undefined {
  return Object.values<Code>(CATEGORY).find(({ meaning }) => plain(meaning) === plain(name));
}

/** A laterality of CID 244 by its meaning. */
export function findSide(name: string): Code | undefined {
  return Object.values<Code>(SIDE).find(({ meaning }) => plain(meaning) === plain(name));
}

/** Every name there is, for suggestions. */
export const TERM_NAMES: readonly string[] = [...BY_NAME].flatMap(([name, { side }]) =>
  side === "pair" ? [name, `left ${name}`, `right ${name}`] : [name],
);
export const CATEGORY_NAMES = Object.values<Code>(CATEGORY).map(({ meaning }) => plain(meaning));
export const SIDE_NAMES = Object.keys(SIDE);

/** Words in lower case with one space between: what of a name counts. */
function plain(name: string): string {
  const words = name.toLowerCase().replace(/[\s_,-]+/g, " ");
  return words.trim().replace(/^fdi ?: ?/, "fdi ");
}

function keyOf({ scheme, value }: Code): string {
  return `${scheme}:${value}`;
}
