/**
 * What becomes of a label value that the config does not know, and of a segment that the map does not hold. Pure.
 *
 * The background is never a segment of its own here: BINARY has none, LABELMAP describes it without being asked.
 */
import type { SegmentDefinition, Segments } from "./segment.ts";
import { CATEGORY } from "./vocabulary/term.ts";

export type UnknownLabelPolicy = "refuse" | "generic";
export type AbsentSegmentsPolicy = "drop" | "describe";

/** "generic" is worth a line in the log; "undefined" is a reason to let nothing leave. */
export type Meaning =
  | { readonly kind: "background" }
  | { readonly kind: "defined"; readonly definition: SegmentDefinition }
  | { readonly kind: "generic"; readonly definition: SegmentDefinition }
  | { readonly kind: "undefined" };

/** What a label value means under a model's segments and its `onUnknownLabel`. */
export function definitionOf(value: number, segments: Segments, policy: UnknownLabelPolicy): Meaning {
  if (value === 0) return { kind: "background" };
  const definition = segments.get(value);
  if (definition) return { kind: "defined", definition };
  return policy === "generic" ? { kind: "generic", definition: generic(value) } : { kind: "undefined" };
}

/**
 * The label values that the object describes, ascending.
 *
 * @param present  label values that the map holds
 */
export function describedValues(
  present: Iterable<number>,
  segments: Segments,
  policy: AbsentSegmentsPolicy,
): readonly number[] {
  const values = new Set([...present, ...(policy === "describe" ? segments.keys() : [])]);
  values.delete(0);
  return [...values].sort((a, b) => a - b);
}

/** Says no more than is known: some tissue. */
function generic(value: number): SegmentDefinition {
  return { label: `Label ${value}`, category: CATEGORY.tissue, type: CATEGORY.tissue };
}
