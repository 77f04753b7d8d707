/**
 * What a rule can know: attributes by DICOM keyword, the association, the number of instances.
 *
 * In:   the header of one instance (up to Pixel Data) and how it came.
 * Out:  values for the rule language. Pure.
 *
 * An attribute that is absent or empty has the empty value of its type: "" for text, [] for a list, and for a
 * number NaN, which no comparison but != holds for. So a rule needs no guard against it; has() asks.
 */
import type { DataSet, Tag } from "../dicom/data-set.ts";
import { bytesOf, itemsOf, numbersOf, stringsOf } from "../dicom/data-set.ts";
import { hasSeveralValues, isKeyword, keywords, tagOf, vrOf } from "../dicom/dictionary.ts";
import { suggestion } from "./nearest.ts";

export interface SeriesFacts {
  /** The header of one instance of the series. */
  readonly dataSet: DataSet;
  readonly association: AssociationFacts;
  readonly instances: number;
}

interface AssociationFacts {
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** Address of the sender. */
  readonly peer: string;
}

/** An attribute as the rule language sees it. */
export interface Attribute {
  readonly keyword: string;
  readonly tag: Tag;
  readonly type: "string" | "double" | "list<string>" | "list<double>";
}

export type AttributeLookup =
  | { readonly kind: "attribute"; readonly attribute: Attribute }
  | { readonly kind: "unusable"; readonly reason: string };

export type AttributeValue = string | number | readonly string[] | readonly number[];

/** What is longer is no criterion but content; it keeps the cost of a rule small. */
const VALUE_LIMIT_BYTES = 1024;

export function findAttribute(keyword: string): AttributeLookup {
  const unusable = (reason: string) => ({ kind: "unusable", reason }) as const;
  if (!isKeyword(keyword) || keyword.startsWith("RETIRED_")) {
    return unusable(`${keyword} is no DICOM keyword${suggestion(keyword, names())}`);
  }
  const tag = tagOf(keyword);
  const vr = vrOf(tag) ?? "UN";
  if (tag >>> 16 < FIRST_GROUP_OF_IMAGES) return unusable(`${keyword} is not an attribute of an image`);
  if (vr === "SQ") return unusable(`${keyword} is a sequence; rules see attributes with values only`);
  const single = TEXT.has(vr) ? "string" : NUMBER.has(vr) ? "double" : undefined;
  if (!single) return unusable(`${keyword} is binary (VR ${vr}); rules see text and numbers only`);
  const type = hasSeveralValues(keyword) ? (`list<${single}>` as const) : single;
  return { kind: "attribute", attribute: { keyword, tag, type } };
}

/** @returns undefined if the value is too long to be a criterion */
export function valueOf(dataSet: DataSet, { tag, type }: Attribute): AttributeValue | undefined {
  const level = levelWith(dataSet, tag);
  const length = bytesOf(level, tag)?.length ?? 0;
  if (length > VALUE_LIMIT_BYTES) return undefined;
  switch (type) {
    case "string":
      return stringsOf(level, tag)[0] ?? "";
    case "double":
      return numbersOf(level, tag)[0] ?? Number.NaN;
    case "list<string>": {
      const texts = stringsOf(level, tag);
      return texts.every((text) => text === "") ? [] : texts;
    }
    case "list<double>":
      return numbersOf(level, tag);
    default:
      return type satisfies never;
  }
}

export function isPresent(value: AttributeValue): boolean {
  return typeof value === "number" ? !Number.isNaN(value) : value.length > 0;
}

/**
 * An enhanced image keeps much of what a rule asks for (Slice Thickness, for one) in its functional groups,
 * PS3.3 C.7.6.16: those shared by all frames are looked through, then those of the first frame.
 */
function levelWith(dataSet: DataSet, tag: Tag): DataSet {
  if (bytesOf(dataSet, tag)) return dataSet;
  for (const groups of [SHARED_FUNCTIONAL_GROUPS, PER_FRAME_FUNCTIONAL_GROUPS]) {
    const frame = itemsOf(dataSet, groups)[0];
    for (const macro of frame?.elements.keys() ?? []) {
      const level = itemsOf(frame!, macro)[0];
      if (level && bytesOf(level, tag)) return level;
    }
  }
  return dataSet;
}

function* names(): Iterable<string> {
  for (const keyword of keywords()) if (!keyword.startsWith("RETIRED_")) yield keyword;
}

const SHARED_FUNCTIONAL_GROUPS = tagOf("SharedFunctionalGroupsSequence");
const PER_FRAME_FUNCTIONAL_GROUPS = tagOf("PerFrameFunctionalGroupsSequence");
const FIRST_GROUP_OF_IMAGES = 0x0008;
const TEXT = new Set("AE AS CS DA DT LO LT PN SH ST TM UC UI UR UT".split(" "));
const NUMBER = new Set("DS FD FL IS SL SS UL US".split(" "));
