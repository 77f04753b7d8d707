/** The labels of a model in the config: every form, every fault in its place. */
import { expect, test } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import type { Segments } from "../../src/segmentation/segment.ts";

const HEAD = `
node: { aeTitle: ISOCENTER, dataDir: data }
dicom: { callers: [{ aeTitle: "*", from: 127.0.0.1 }] }
models:
  a:
    url: http://a/b
    request: { format: nifti }
    segments:`;

/** Lines of the head before the segments, which stand on line 9 where they are a block. */
const parsed = (segments: string) => parseConfig(`${HEAD} ${segments}`, "node.yaml");

function segmentsOf(written: string): Segments {
  const loaded = parsed(written);
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  return loaded.config.models.get("a")!.segments;
}

function problemsOf(written: string): readonly string[] {
  const loaded = parsed(written);
  if (loaded.kind === "ok") return [];
  return loaded.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
}

function summary(written: string): readonly string[] {
  return Array.from(segmentsOf(written), ([value, { label, type, modifier, anatomy, anatomyModifier }]) =>
    [value, label, type.value, modifier?.meaning, anatomyModifier?.meaning, anatomy?.meaning]
      .filter((part) => part !== undefined)
      .join(" "),
  );
}

test("a label is named in one word, by a code, or by settings", () => {
  expect(
    summary(`
      1: mandible
      2: left maxillary sinus
      3: FDI:36
      4: SCT:21974007:Zunge
      5: { type: cyst, anatomy: right maxillary sinus }
      6: { label: Guide, type: "99CLINIC:G1:Surgical guide", category: physical object, anatomy: tooth-36 }
      7: { type: mandible, label: Left half, modifier: left }
      8: { type: "urn:oid:1.2.3.4:Splint", category: "SCT:260787004:Physical object" }`),
  ).toEqual([
    "1 Mandible 91609006",
    "2 Left maxillary sinus 15924003 Left",
    "3 Tooth 36 866006002",
    "4 Zunge 21974007",
    "5 Cyst 367643001 Right Maxillary sinus",
    "6 Guide G1 Permanent mandibular left first molar tooth",
    "7 Left half 91609006 Left",
    "8 Splint urn:oid:1.2.3.4",
  ]);
});

test("a preset is a whole table; entries beside it change it or add to it", () => {
  expect(segmentsOf("{ preset: fdi-teeth }").size).toBe(52);
  const table = segmentsOf(
    "{ preset: fdi-teeth, 48: { label: Wisdom tooth }, 38: mandible, 99: { type: cyst, tracking: c } }",
  );
  expect([table.size, table.get(48)?.label, table.get(48)?.type.value, table.get(38)?.label]).toEqual([
    53,
    "Wisdom tooth",
    "38994002",
    "Mandible",
  ]);
  expect(table.get(99)?.trackingId).toBe("c");
});

test("a change of one model's table is not seen by another's", () => {
  expect(segmentsOf("{ preset: dental-cbct, 1: { label: Jaw } }").get(1)?.label).toBe("Jaw");
  expect(segmentsOf("{ preset: dental-cbct }").get(1)?.label).toBe("Mandible");
});

test("0 may be written out as background, and is no segment", () => {
  expect([...segmentsOf("{ 0: background, 1: mandible }").keys()]).toEqual([1]);
  expect([...segmentsOf("{ 0: Background, preset: dental-cbct }").keys()]).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(problemsOf("{ 0: mandible }")).toEqual([
    `8:17: models.a.segments.0: found "0", allowed: a label value from 1 to 65535; 0 is the background`,
  ]);
  expect(problemsOf("{ 1: background }")).toEqual([
    "8:20: models.a.segments.1: the background is label 0 and no other",
  ]);
});

test("every fault of the labels is told at once, where it stands", () => {
  expect(
    problemsOf(`
      1: mandibel
      2: left maxilary sinus
      3: tooth-19
      4: left tooth-36
      5: left liver
      6: SRT:T-11180:Mandible
      7: 99X:1:Thing
      8: { label: No type }
      9: { type: mandible, category: tisue, modifier: lft }
      10: { type: FDI:36, modifier: left }
      11: { type: left kidney, modifier: right }
      12: maxilla
      13: { type: liver, label: Maxilla }
      14: { type: 99X:1:Thing, tracking: t }
      15: { type: spleen, tracking: t }
      16: { type: pancreas, tracking: t }
      x: mandible
      70000: liver
      17:
      18: { type: left kidney, colour: [1, 2, 3] }`),
  ).toEqual([
    `9:10: models.a.segments.1: "mandibel" is no known name; did you mean mandible?`,
    `10:10: models.a.segments.2: "left maxilary sinus" is no known name; did you mean left maxillary sinus?`,
    `11:10: models.a.segments.3: there is no tooth 19 in FDI notation`,
    `12:10: models.a.segments.4: the code of Tooth 36 names its side already`,
    `13:10: models.a.segments.5: Liver is not one of a pair; to name a side of it all the same, write it as modifier`,
    `14:10: models.a.segments.6: coding scheme SRT is retired: write SCT:91609006:Mandible`,
    `15:10: models.a.segments.7: category is missing: Thing is not in the vocabulary, which would tell it; write { type, category }`,
    `16:7: models.a.segments.8.type: is missing: a name, or a code as scheme:value:meaning`,
    `17:38: models.a.segments.9.category: "tisue" is no known name; did you mean tissue?`,
    `17:55: models.a.segments.9.modifier: "lft" is no known name; did you mean left?`,
    `18:37: models.a.segments.10.modifier: the code of Tooth 36 names its side already`,
    `19:42: models.a.segments.11.modifier: says Right, the type says Left already`,
    `21:33: models.a.segments.13.label: segment 12 has the label "Maxilla" already`,
    `22:7: models.a.segments.14.category: is missing: Thing is not in the vocabulary, which would tell it`,
    `24:39: models.a.segments.16.tracking: segment 15 has the tracking ID "t" already`,
    `25:7: models.a.segments.x: found "x", allowed: a label value from 1 to 65535`,
    `26:7: models.a.segments.70000: found "70000", allowed: a label value from 1 to 65535`,
    `27:10: models.a.segments.17: found nothing, allowed: a name such as left maxillary sinus or tooth-36, or a code as scheme:value:meaning, or settings`,
    `28:32: models.a.segments.18.colour: unknown key "colour"; did you mean color?`,
  ]);
});

test("a preset that is not there is told with the one that was meant, and nothing that follows from it", () => {
  expect(problemsOf("{ preset: fdi-teth, 11: { label: Incisor } }")).toEqual([
    `8:25: models.a.segments.preset: there is no label preset "fdi-teth"; did you mean fdi-teeth?`,
  ]);
  expect(problemsOf("{ preset: none-such-here }")).toEqual([
    `8:25: models.a.segments.preset: there is no label preset "none-such-here"; there are dental-cbct, dental-segmentator, fdi-teeth, toothfairy2, totalsegmentator-total`,
  ]);
  expect(problemsOf("{ prset: fdi-teeth }")[0]).toBe(
    `8:17: models.a.segments.prset: found "prset", allowed: a label value from 1 to 65535; did you mean preset?`,
  );
});

test("an entry beside a preset may not take the label of one in it, and may once that one has another", () => {
  expect(problemsOf("{ preset: dental-cbct, 9: { type: mandible } }")).toEqual([
    `8:38: models.a.segments.9.label: segment 1 has the label "Mandible" already`,
  ]);
  expect(problemsOf("{ preset: dental-cbct, 1: maxilla, 2: mandible }")).toEqual([]);
  expect(problemsOf("{ preset: dental-cbct, 8: { label: New } }")).toEqual([
    `8:38: models.a.segments.8.type: is missing: a name, or a code as scheme:value:meaning`,
  ]);
});

test("segments are a group, and not an empty one", () => {
  expect(problemsOf("fdi-teeth")).toEqual([
    `8:15: models.a.segments: found "fdi-teeth", allowed: segments by label value, or { preset: NAME }`,
  ]);
  expect(problemsOf("[mandible]")[0]).toMatch(
    /^8:15: models.a.segments: found \["mandible"\], allowed: segments/,
  );
  for (const empty of ["{}", "{ 0: background }"])
    expect(problemsOf(empty)).toEqual([
      "8:15: models.a.segments: no segment, allowed: at least one by its label value, or a preset",
    ]);
});

test("what is to become of unknown labels and absent segments is refuse and drop, or generic and describe", () => {
  const policies = (more: string) => {
    const loaded = parseConfig(`${HEAD} { 1: mandible }\n${more}`, "node.yaml");
    if (loaded.kind === "invalid") return loaded.problems.map(({ message }) => message);
    const { onUnknownLabel, absentSegments } = loaded.config.models.get("a")!;
    return [onUnknownLabel, absentSegments];
  };
  expect(policies("")).toEqual(["refuse", "drop"]);
  expect(policies("    onUnknownLabel: generic\n    absentSegments: describe")).toEqual([
    "generic",
    "describe",
  ]);
  expect(policies("    onUnknownLabel: ignore")).toEqual([
    `models.a.onUnknownLabel: found "ignore", allowed: refuse or generic`,
  ]);
});
