import { expect, test } from "vitest";
import { readConcept } from "../../src/segmentation/concept.ts";
import { complete, type WrittenSegment } from "../../src/segmentation/definition.ts";
import type { SegmentDefinition } from "../../src/segmentation/segment.ts";
import { CATEGORY } from "../../src/segmentation/vocabulary/term.ts";
import { SIDE } from "../../src/segmentation/vocabulary.ts";

function concept(text: string) {
  const read = readConcept(text);
  if (read.kind !== "concept") throw new Error(JSON.stringify(read));
  return read.concept;
}

function definition(written: WrittenSegment, preset?: SegmentDefinition): SegmentDefinition {
  const completed = complete(written, preset);
  if (completed.kind !== "complete") throw new Error(`${completed.at} ${completed.reason}`);
  return completed.definition;
}

test("a name says label, category, code, side and colour", () => {
  expect(definition({ type: concept("left maxillary sinus") })).toEqual({
    label: "Left maxillary sinus",
    category: { scheme: "SCT", value: "91723000", meaning: "Anatomical structure" },
    type: { scheme: "SCT", value: "15924003", meaning: "Maxillary sinus" },
    modifier: { scheme: "SCT", value: "7771000", meaning: "Left" },
    color: [120, 200, 210],
  });
});

test("the category follows from the entry, and may be another", () => {
  const category = (name: string) => definition({ type: concept(name) }).category.value;
  expect(["mandible", "cyst", "implant", "soft tissue"].map(category)).toEqual([
    "91723000",
    "49755003",
    "260787004",
    "85756007",
  ]);
  const other = definition({ type: concept("bone"), category: CATEGORY.structure });
  expect(other.category.value).toBe("91723000");
});

test("a code that the table knows has its category, and keeps its own meaning, also as the label", () => {
  const own = definition({ type: concept("SCT:91609006:Unterkiefer") });
  expect(own).toMatchObject({ label: "Unterkiefer", category: CATEGORY.structure });
  expect(own.type.meaning).toBe("Unterkiefer");
});

test("a code that the table does not know needs a category", () => {
  const type = concept("99CLINIC:PLATE-7:Guide");
  expect(complete({ type })).toMatchObject({ kind: "incomplete", at: "category" });
  expect(definition({ type, category: CATEGORY.object })).toEqual({
    label: "Guide",
    category: CATEGORY.object,
    type: { scheme: "99CLINIC", value: "PLATE-7", meaning: "Guide" },
  });
});

test("a finding lies in an anatomy, on its side", () => {
  const lesion = definition({ type: concept("cyst"), anatomy: concept("left maxillary sinus") });
  expect([lesion.anatomy?.value, lesion.anatomyModifier?.meaning]).toEqual(["15924003", "Left"]);
  const tooth = definition({ type: concept("lesion"), anatomy: concept("FDI:36") });
  expect([tooth.anatomy?.value, "anatomyModifier" in tooth]).toEqual(["866006002", false]);
});

test("a modifier may name a side of what is not a pair, but no second side", () => {
  const half = definition({ type: concept("mandible"), modifier: SIDE.left });
  expect([half.label, half.modifier?.value]).toEqual(["Left mandible", "7771000"]);
  const tooth = complete({ type: concept("tooth-36"), modifier: SIDE.left });
  expect(tooth).toEqual({
    kind: "incomplete",
    at: "modifier",
    reason: "the code of Tooth 36 names its side already",
  });
  const both = complete({ type: concept("left kidney"), modifier: SIDE.right });
  expect(both).toMatchObject({ at: "modifier", reason: "says Right, the type says Left already" });
});

test("an entry without a type changes the preset's, one with a type takes nothing from it", () => {
  const preset = definition({ type: concept("cyst"), anatomy: concept("left kidney"), tracking: "k" });
  expect(definition({ label: "Zyste", color: [1, 2, 3] }, preset)).toEqual({
    ...preset,
    label: "Zyste",
    color: [1, 2, 3],
  });
  const moved = definition({ anatomy: concept("liver") }, preset);
  expect([moved.anatomy?.meaning, "anatomyModifier" in moved]).toEqual(["Liver", false]);
  expect(Object.keys(definition({ type: concept("mandible") }, preset)).toSorted()).toEqual([
    "category",
    "color",
    "label",
    "type",
  ]);
  expect(complete({ label: "x" })).toMatchObject({ kind: "incomplete", at: "type" });
});
