/**
 * One thing that a segment can be, and how a table of them is written. Pure.
 *
 * Whether a thing is one of a pair decides how its side is said: by a modifier of CID 244 beside a code that has no
 * side ("pair"), or not at all, since the code names the side already ("own") or there is but one of it ("one").
 */
import type { Rgb } from "../colour.ts";
import type { Code } from "../segment.ts";

export interface Term {
  /** Segment Label where none is written. */
  readonly label: string;
  /** What it may be called in the config, besides the label and the meaning of its code. */
  readonly also: readonly string[];
  readonly category: Code;
  readonly type: Code;
  readonly side: "pair" | "own" | "one";
  /** What it is usually drawn in. */
  readonly color?: Rgb;
}

/** Segmentation Property Categories, PS3.16 CID 7150, by the name they have in the config. */
export const CATEGORY = {
  structure: { scheme: "SCT", value: "91723000", meaning: "Anatomical structure" },
  abnormal: { scheme: "SCT", value: "49755003", meaning: "Morphologically Abnormal Structure" },
  object: { scheme: "SCT", value: "260787004", meaning: "Physical object" },
  tissue: { scheme: "SCT", value: "85756007", meaning: "Tissue" },
  bodySubstance: { scheme: "SCT", value: "91720002", meaning: "Body substance" },
  substance: { scheme: "SCT", value: "105590001", meaning: "Substance" },
  function: { scheme: "SCT", value: "246464006", meaning: "Function" },
  spatial: { scheme: "SCT", value: "309825002", meaning: "Spatial and Relational Concept" },
} as const satisfies Record<string, Code>;

/** SNOMED CT identifier and meaning; what else it is called; its colour. */
export type Row = readonly [value: string, meaning: string, also: readonly string[], color?: Rgb];

/** Rows of a table that have category and side in common. */
export function terms(category: Code, side: Term["side"], rows: readonly Row[]): readonly Term[] {
  return rows.map(([value, meaning, also, color]) => ({
    label: meaning,
    also,
    category,
    type: { scheme: "SCT", value, meaning },
    side,
    ...(color && { color }),
  }));
}
