/**
 * The data dictionary of PS3.6: keyword, tag and value representation.
 *
 * The one place that knows dcmjs. Only its dictionary is used: its reader mis-decodes text in sequences and its
 * writer cuts decimal strings and drops private elements, so reading and writing are part10.ts and encode.ts.
 */
import { dictionary } from "dcmjs/dictionary";
import type { Tag } from "./data-set.ts";

interface Entry {
  readonly keyword: string;
  readonly vr: string;
}

/** dcmjs writes a choice of representations in lower case; this is the one for implicit VR (PS3.5 annex A). */
const CHOICES: Readonly<Record<string, string>> = { ox: "OW", xs: "US", up: "UL", lt: "OW" };

/** Value multiplicity other than 1. */
const several = new Set<string>();
/** US, or SS where the pixels are signed (PS3.5 A.1). */
const asPixels = new Set<Tag>();
const byTag = new Map<Tag, Entry>();
const byKeyword = new Map<string, Tag>();

for (const [key, { name, vr, vm }] of Object.entries(dictionary)) {
  const digits = /^\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)$/.exec(key);
  if (!digits || vr === "na" || !name) continue;
  const tag = Number.parseInt(`${digits[1]}${digits[2]}`, 16);
  if ((tag >>> 16) & 1) continue;
  if (vr === "xs") asPixels.add(tag);
  if (vm !== "1") several.add(name);
  byTag.set(tag, { keyword: name, vr: CHOICES[vr] ?? vr });
  if (!byKeyword.has(name)) byKeyword.set(name, tag);
}

/** @throws if the standard has no such keyword: the name stands in our own source */
export function tagOf(keyword: string): Tag {
  const tag = byKeyword.get(keyword);
  if (tag === undefined) throw new Error(`bug: no such DICOM keyword: ${keyword}`);
  return tag;
}

export function isKeyword(text: string): boolean {
  return byKeyword.has(text);
}

export function keywords(): Iterable<string> {
  return byKeyword.keys();
}

export function vrOf(tag: Tag): string | undefined {
  return byTag.get(tag)?.vr;
}

/** May it have more than one value (PS3.6, VM)? */
export function hasSeveralValues(keyword: string): boolean {
  return several.has(keyword);
}

/** The representation is that of the pixels, by (0028,0103) Pixel Representation. */
export function isAsPixels(tag: Tag): boolean {
  return asPixels.has(tag);
}

export function keywordOf(tag: Tag): string | undefined {
  return byTag.get(tag)?.keyword;
}
