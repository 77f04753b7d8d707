/** The vocabulary, held against the standard's codes written out by hand and SNOMED's own check digit. */
import { expect, test } from "vitest";
import { storedLab } from "../../src/segmentation/colour.ts";
import { FINDINGS } from "../../src/segmentation/vocabulary/findings.ts";
import { HEAD } from "../../src/segmentation/vocabulary/head.ts";
import { ORGANS } from "../../src/segmentation/vocabulary/organs.ts";
import { SUCCESSORS } from "../../src/segmentation/vocabulary/retired.ts";
import { SKELETON } from "../../src/segmentation/vocabulary/skeleton.ts";
import { TEETH } from "../../src/segmentation/vocabulary/teeth.ts";
import { CATEGORY } from "../../src/segmentation/vocabulary/term.ts";
import {
  findCategory,
  findSide,
  findTerm,
  labelOf,
  SIDE,
  TERM_NAMES,
} from "../../src/segmentation/vocabulary.ts";

const TERMS = [...HEAD, ...TEETH, ...ORGANS, ...SKELETON, ...FINDINGS];

function codeOf(name: string): string {
  const found = findTerm(name);
  if (found.kind !== "term") throw new Error(`${name}: ${JSON.stringify(found)}`);
  const { term, side } = found;
  return [term.type.scheme, term.type.value, ...(side ? [side.meaning] : [])].join(" ");
}

function refusal(name: string): string {
  const found = findTerm(name);
  return found.kind === "wrong" ? found.reason : found.kind;
}

// The tables of the dihedral group D5 that Verhoeff's check digit is made of, as SNOMED's technical guide prints them.
const TIMES = ["0123456789", "1234067895", "2340178956", "3401289567", "4012395678"];
const TIMES_MIRRORED = ["5987604321", "6598710432", "7659821043", "8765932104", "9876543210"];
const PERMUTED = ["0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901"];
const PERMUTED_ON = ["2793806415", "7046913258"];

function isChecked(identifier: string): boolean {
  const [times, permuted] = [
    [...TIMES, ...TIMES_MIRRORED],
    [...PERMUTED, ...PERMUTED_ON],
  ];
  const digits = identifier.split("").map(Number).reverse();
  return digits.reduce((sum, digit, at) => Number(times[sum]![Number(permuted[at % 8]![digit])]), 0) === 0;
}

test("the check digit tells a transposed digit, so that the next tests can fail", () => {
  expect([isChecked("91609006"), isChecked("91609060"), isChecked("96109006")]).toEqual([true, false, false]);
});

test("every SNOMED CT identifier is one of a concept, with the right check digit", () => {
  const codes = [...TERMS.map(({ type }) => type), ...Object.values(CATEGORY), ...Object.values(SIDE)];
  const wrong = codes.filter(
    ({ scheme, value }) =>
      scheme === "SCT" && !(isChecked(value) && value.at(-3) === "0" && value.at(-2) === "0"),
  );
  expect(wrong).toEqual([]);
  expect(codes.filter(({ scheme }) => scheme !== "SCT").map(({ meaning }) => meaning)).toEqual([
    "Mandibular Canal",
  ]);
});

test("no code stands under two terms, and no name means two things", () => {
  expect(TERMS.length).toBeGreaterThan(200);
  expect(new Set(TERMS.map(({ type }) => type.value)).size).toBe(TERMS.length);
  const owners = new Map<string, string>();
  for (const { label, also, type } of TERMS)
    for (const name of new Set([label, ...also].map((each) => each.toLowerCase()))) {
      expect(owners.get(name) ?? label, name).toBe(label);
      owners.set(name, label);
      expect(codeOf(name)).toBe(`${type.scheme} ${type.value}`);
    }
});

test("labels and meanings fit their value representation", () => {
  const texts = TERMS.flatMap(({ label, type }) => [label, type.meaning]);
  expect(texts.filter((each) => each.length > 56 || /[^\x20-\x7e]|\\/.test(each))).toEqual([]);
});

// PS3.16 CID 4018, CID 4019.
test("all teeth are known by their FDI number", () => {
  const codes =
    "11:422653006 12:424877001 13:860767006 14:57826002 15:36492000 16:865995000 17:863902006 18:68085002 " +
    "21:424399000 22:423185002 23:860780009 24:61897005 25:23226009 26:865988009 27:863901004 28:87704003 " +
    "31:425106001 32:423331005 33:860782001 34:2400006 35:24573005 36:866006002 37:863898000 38:74344005 " +
    "41:424575004 42:423937004 43:860785004 44:80140008 45:8873007 46:866005003 47:863899008 48:38994002 " +
    "51:88824007 52:65624003 53:30618001 54:17505006 55:27855007 61:51678005 62:43622005 63:73937000 " +
    "64:45234009 65:51943008 71:89552004 72:14770005 73:43281008 74:38896004 75:49330006 " +
    "81:67834006 82:22445006 83:6062009 84:58646007 85:61868007";
  const teeth = codes.split(" ").map((pair) => pair.split(":") as [string, string]);
  expect(teeth.map(([number]) => codeOf(`tooth-${number}`))).toEqual(teeth.map(([, code]) => `SCT ${code}`));
  expect(TEETH).toHaveLength(teeth.length);
});

test("a tooth's meaning says set, jaw, side and place in the arch", () => {
  const meaning = (number: number) => TEETH.find(({ label }) => label === `Tooth ${number}`)?.type.meaning;
  expect([11, 23, 36, 48].map(meaning)).toEqual([
    "Permanent maxillary right central incisor tooth",
    "Permanent maxillary left canine tooth",
    "Permanent mandibular left first molar tooth",
    "Permanent mandibular right third molar tooth",
  ]);
  expect([55, 62, 74, 81].map(meaning)).toEqual([
    "Deciduous maxillary right second molar tooth",
    "Deciduous maxillary left lateral incisor tooth",
    "Deciduous mandibular left first molar tooth",
    "Deciduous mandibular right central incisor tooth",
  ]);
});

test("a tooth is written with a hyphen, a space or in FDI notation", () => {
  for (const name of ["tooth-36", "Tooth 36", "TOOTH_36", "FDI:36", "fdi 36", "FDI: 36"])
    expect(codeOf(name), name).toBe("SCT 866006002");
  for (const name of ["tooth-19", "FDI:99", "fdi 56"]) expect(refusal(name)).toMatch(/no tooth \d\d in FDI/);
});

// Written out from PS3.16, not from the tables.
test.each([
  ["mandible", "SCT 91609006"],
  ["Lower Jawbone", "SCT 91609006"],
  ["maxilla", "SCT 70925003"],
  ["left maxillary sinus", "SCT 15924003 Left"],
  ["Maxillary Sinus, Right", "SCT 15924003 Right"],
  ["right mandibular canal", "MSH D000088263 Right"],
  ["Left Inferior Alveolar Canal", "MSH D000088263 Left"],
  ["pharynx", "SCT 54066008"],
  ["nasal cavity", "SCT 279549004"],
  ["hyoid", "SCT 21387005"],
  ["soft palate", "SCT 49460000"],
  ["TMJ", "SCT 53620006"],
  ["bone", "SCT 3138006"],
  ["dental prosthesis", "SCT 27606000"],
  ["cyst", "SCT 367643001"],
  ["kidney_left", "SCT 64033007 Left"],
  ["rib_right_4", "SCT 25523003 Right"],
  ["lung_middle_lobe_right", "SCT 72481006"],
  ["heart_atrium_left", "SCT 82471001"],
  ["vertebrae_C1", "SCT 14806007"],
  ["liver", "SCT 10200004"],
])("%s is %s", (name, code) => {
  expect(codeOf(name)).toBe(code);
});

test("a side is not said twice, nor of what has none", () => {
  expect(refusal("left tooth-36")).toBe("the code of Tooth 36 names its side already");
  expect(refusal("right heart atrium left")).toBe("the code of Left atrium names its side already");
  expect(refusal("left liver")).toMatch(/^Liver is not one of a pair/);
  expect(refusal("left")).toBe("unknown");
  expect(refusal("left right kidney")).toBe("unknown");
});

test("a side goes in front of the label", () => {
  const found = findTerm("maxillary sinus left");
  expect(found.kind === "term" && labelOf(found.term, found.side)).toBe("Left maxillary sinus");
});

test("names for suggestions are names that are understood", () => {
  expect(TERM_NAMES.filter((name) => findTerm(name).kind !== "term")).toEqual([]);
  expect(TERM_NAMES).toEqual(expect.arrayContaining(["left maxillary sinus", "tooth 36", "mandible"]));
});

test("categories and sides go by their meaning in any case", () => {
  expect(findCategory("anatomical STRUCTURE")?.value).toBe("91723000");
  expect(findCategory("Morphologically abnormal structure")?.value).toBe("49755003");
  expect(findCategory("physical-object")?.value).toBe("260787004");
  expect([findSide("Left")?.value, findSide("right")?.value, findSide("bilateral")?.value]).toEqual([
    "7771000",
    "24028007",
    "51440002",
  ]);
  expect([findCategory("organ"), findSide("up")]).toEqual([undefined, undefined]);
});

// T-11180 is the mandible's in the examples of PS3.3 before 2017.
test("retired codes lead to what the vocabulary knows", () => {
  expect(SUCCESSORS.get("T-11180")).toBe("91609006");
  const known = new Set(
    [...TERMS.map(({ type }) => type), ...Object.values(CATEGORY)].map(({ value }) => value),
  );
  expect([...SUCCESSORS.values()].filter((value) => !known.has(value))).toEqual([]);
  expect([...SUCCESSORS.keys()].filter((code) => !/^[A-Z]-[0-9A-F]{5}$/.test(code))).toEqual([]);
});

test("neighbouring teeth, and the parts of a jaw, differ in colour", () => {
  const colour = (name: string) => {
    const found = findTerm(name);
    return found.kind === "term" && found.term.color ? storedLab(found.term.color) : undefined;
  };
  const arch = (quadrants: readonly [number, number]) =>
    quadrants.flatMap((quadrant, at) => {
      const places = [1, 2, 3, 4, 5, 6, 7, 8].map((place) => `tooth ${quadrant}${place}`);
      return at === 0 ? places.reverse() : places;
    });
  for (const row of [
    arch([1, 2]),
    arch([4, 3]),
    ["mandible", "mandibular canal"],
    ["maxilla", "maxillary sinus"],
  ])
    for (const [at, name] of row.slice(1).entries()) {
      const [a, b] = [colour(row[at]!), colour(name)];
      expect(a && b && distance(a, b), `${row[at]} and ${name}`).toBeGreaterThan(20);
    }
});

test("no two of the 52 teeth share a colour, and opposing teeth differ too", () => {
  const colours = TEETH.map(({ color }) => storedLab(color!));
  expect(new Set(colours.map(String)).size).toBe(52);
  const at = (label: string) => colours[TEETH.findIndex((tooth) => tooth.label === label)]!;
  for (const place of [1, 2, 3, 4, 5, 6, 7, 8])
    for (const [upper, lower] of [
      [1, 4],
      [2, 3],
    ] as const)
      expect(distance(at(`Tooth ${upper}${place}`), at(`Tooth ${lower}${place}`))).toBeGreaterThan(20);
});

/** ΔE*ab of two stored colours. */
function distance(a: readonly number[], b: readonly number[]): number {
  const [l = 0, u = 0, v = 0] = a.map((value, at) => value - b[at]!);
  return Math.hypot((l / 65535) * 100, (u / 65535) * 255, (v / 65535) * 255);
}
