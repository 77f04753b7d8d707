/**
 * From what is written about a segment to its definition: what is left out comes from the vocabulary, or from the
 * preset that the entry changes. Pure.
 *
 * In:   an entry, and what the preset says of the same label value.
 * Out:  a definition; or which setting is missing or contradicts another, for a person to mend.
 *
 * An entry with a type is a segment of its own: nothing of the preset's is left in it. One without changes only what
 * it names.
 */
import type { Concept } from "./concept.ts";
import type { Code, SegmentDefinition } from "./segment.ts";
import { isSide, labelOf, termOfCode } from "./vocabulary.ts";

export interface WrittenSegment {
  readonly type?: Concept;
  readonly label?: string;
  readonly category?: Code;
  readonly modifier?: Code;
  readonly anatomy?: Concept;
  readonly color?: SegmentDefinition["color"];
  readonly tracking?: string;
}

export type Completed =
  | { readonly kind: "complete"; readonly definition: SegmentDefinition }
  | { readonly kind: "incomplete"; readonly at: "type" | "category" | "modifier"; readonly reason: string };

export function complete(written: WrittenSegment, preset?: SegmentDefinition): Completed {
  const base = written.type ? fresh(written.type, written) : preset;
  if (!base) return incomplete("type", "is missing: a name, or a code as scheme:value:meaning");
  if ("kind" in base) return base;
  const { label, category, modifier, color, tracking, anatomy } = written;
  const conflict = modifier && conflictOf(base, modifier);
  if (conflict !== undefined) return incomplete("modifier", conflict);
  const { anatomy: _, anatomyModifier: __, ...rest } = base;
  return {
    kind: "complete",
    definition: {
      ...(anatomy ? { ...rest, ...region(anatomy) } : base),
      ...(label !== undefined && { label }),
      ...(category && { category }),
      ...(modifier && { modifier }),
      ...(color && { color }),
      ...(tracking !== undefined && { trackingId: tracking }),
    },
  };
}

/** What follows from the type alone. */
function fresh(
  { code, term, side }: Concept,
  { category = term?.category, modifier }: WrittenSegment,
): SegmentDefinition | Completed {
  if (!category)
    return incomplete(
      "category",
      `is missing: ${code.meaning} is not in the vocabulary, which would tell it`,
    );
  return {
    label: term && isWordedAs(term.type, code) ? labelOf(term, side ?? sideOf(modifier)) : code.meaning,
    category,
    type: code,
    ...(side && { modifier: side }),
    ...(term?.color && { color: term.color }),
  };
}

/** A meaning of the user's own words stays the label. */
function isWordedAs({ meaning }: Code, code: Code): boolean {
  return meaning === code.meaning;
}

function sideOf(modifier: Code | undefined): Code | undefined {
  return modifier && isSide(modifier) ? modifier : undefined;
}

function conflictOf({ type, modifier: side }: SegmentDefinition, modifier: Code): string | undefined {
  if (!isSide(modifier)) return undefined;
  const term = termOfCode(type);
  if (term?.side === "own") return `the code of ${term.label} names its side already`;
  return side && side.value !== modifier.value
    ? `says ${modifier.meaning}, the type says ${side.meaning} already`
    : undefined;
}

function region({ code, side }: Concept): Pick<SegmentDefinition, "anatomy" | "anatomyModifier"> {
  return { anatomy: code, ...(side && { anatomyModifier: side }) };
}

function incomplete(at: "type" | "category" | "modifier", reason: string): Completed {
  return { kind: "incomplete", at, reason };
}
