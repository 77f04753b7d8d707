/** The label tables that are shipped, against what the models' makers publish. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { LABEL_PRESETS, labelPreset } from "../../src/config/presets.ts";
import { paletteColour, storedLab } from "../../src/segmentation/colour.ts";

/** value:codeSIDE, in the order of the table. */
function codes(name: string): string {
  return Array.from(labelPreset(name), ([value, { type, modifier }]) => {
    const side = modifier ? modifier.meaning[0] : "";
    return `${value}:${type.value}${side}`;
  }).join(" ");
}

function labels(name: string): readonly string[] {
  return Array.from(labelPreset(name), ([value, { label }]) => `${value} ${label}`);
}

test("these are shipped", () => {
  expect(LABEL_PRESETS).toEqual([
    "dental-cbct",
    "dental-segmentator",
    "fdi-teeth",
    "toothfairy2",
    "totalsegmentator-total",
  ]);
});

test.each(LABEL_PRESETS)("%s says where it comes from, and tells its segments apart", (name) => {
  const text = readFileSync(`config/presets/labels/${name}.yaml`, "utf8");
  expect(text).toMatch(/^# .{20,}/);
  const table = labelPreset(name);
  expect(table.size).toBe(Object.keys(parse(text) as object).length);
  expect(new Set(Array.from(table.values(), ({ label }) => label)).size).toBe(table.size);
  const values = [...table.keys()];
  expect(values.every((value) => value >= 1 && value <= 255)).toBe(true);
  expect(values).toEqual(values.toSorted((a, b) => a - b));
});

test("fdi-teeth: the label value is the FDI number", () => {
  const permanent = [1, 2, 3, 4].flatMap((q) => [1, 2, 3, 4, 5, 6, 7, 8].map((t) => 10 * q + t));
  const deciduous = [5, 6, 7, 8].flatMap((q) => [1, 2, 3, 4, 5].map((t) => 10 * q + t));
  const teeth = [...permanent, ...deciduous];
  expect(labels("fdi-teeth")).toEqual(teeth.map((number) => `${number} Tooth ${number}`));
  expect(codes("fdi-teeth")).toMatch(/ 36:866006002 .* 48:38994002 51:88824007 .* 85:61868007$/);
});

// dataset.json of ToothFairy2: 1 Lower Jawbone, 2 Upper Jawbone, 3 Left and 4 Right Inferior Alveolar Canal, 5 Left and
// 6 Right Maxillary Sinus, 7 Pharynx, 8 Bridge, 9 Crown, 10 Implant, 11 Upper Right Central Incisor, …
test("toothfairy2: jaws, canals, sinuses, pharynx, dental work and 32 teeth", () => {
  expect(labels("toothfairy2").slice(0, 11)).toEqual([
    "1 Mandible",
    "2 Maxilla",
    "3 Left mandibular canal",
    "4 Right mandibular canal",
    "5 Left maxillary sinus",
    "6 Right maxillary sinus",
    "7 Pharynx",
    "8 Bridge",
    "9 Crown",
    "10 Dental implant",
    "11 Tooth 11",
  ]);
  expect(codes("toothfairy2")).toMatch(
    /^1:91609006 2:70925003 3:D000088263L 4:D000088263R 5:15924003L 6:15924003R 7:54066008 8:27606000 9:27606000 10:40388003 11:422653006 /,
  );
  expect(labelPreset("toothfairy2").size).toBe(42);
  expect(labelPreset("toothfairy2").get(10)?.anatomy?.meaning).toBe("Jaw region");
});

test("dental-cbct: the first seven of toothfairy2", () => {
  expect(labels("dental-cbct")).toEqual(labels("toothfairy2").slice(0, 7));
});

test("dental-segmentator: skull, mandible, two arches, canals", () => {
  expect(labels("dental-segmentator")).toEqual([
    "1 Maxilla and upper skull",
    "2 Mandible",
    "3 Upper teeth",
    "4 Lower teeth",
    "5 Mandibular canal",
  ]);
  expect(codes("dental-segmentator")).toBe("1:89546000 2:91609006 3:39481002 4:88176008 5:D000088263");
});

// class_map["total"] with the codes of totalsegmentator_snomed_mapping.csv, save for four: subclavian artery (the file's
// is the right one only), left auricular appendage and gluteus maximus (the codes of structures that DICOM uses).
const TOTAL =
  "1:78961009 2:64033007R 3:64033007L 4:28231008 5:10200004 6:69695003 7:15776009 8:23451007R " +
  "9:23451007L 10:45653009L 11:90572001L 12:45653009R 13:72481006 14:90572001R 15:32849002 16:44567001 " +
  "17:69748006 18:30315005 19:38848004 20:71854001 21:89837001 22:41216001 23:367643001 24:367643001 " +
  "25:54735007 26:65985001 27:49668003 28:11994002 29:36470004 30:14293000 31:66794005 32:23215003 " +
  "33:12989004 34:7610001 35:82687006 36:11068009 37:62487009 38:45296009 39:56401006 40:73071006 " +
  "41:1626008 42:53733008 43:64864005 44:87391001 45:36054005 46:36978003 47:5329002 48:113205007 " +
  "49:39976000 50:14806007 51:80891009 52:15825003 53:122972007 54:12691009 55:36765005R 56:36765005L " +
  "57:32062004R 58:32062004L 59:8887007L 60:8887007R 61:33626005 62:48345005 63:64131007 64:110765007 " +
  "65:73634005L 66:73634005R 67:46027005L 68:46027005R 69:85050009L 70:85050009R 71:79601000L " +
  "72:79601000R 73:51299004L 74:51299004R 75:71341001L 76:71341001R 77:29836001L 78:29836001R " +
  "79:2748008 80:206007L 81:206007R 82:78333006L 83:78333006R 84:75297007L 85:75297007R 86:244849004L " +
  "87:244849004R 88:68455001L 89:68455001R 90:12738006 91:89546000 92:48535007L 93:78247007L " +
  "94:25888004L 95:25523003L 96:15339008L 97:59558009L 98:24915002L 99:5953002L 100:22565002L " +
  "101:77644006L 102:58830002L 103:43993008L 104:48535007R 105:78247007R 106:25888004R 107:25523003R " +
  "108:15339008R 109:59558009R 110:24915002R 111:5953002R 112:22565002R 113:77644006R 114:58830002R " +
  "115:43993008R 116:56873002 117:50016007";

test("totalsegmentator-total: 117 classes with the codes that are published for them", () => {
  expect(codes("totalsegmentator-total")).toBe(TOTAL);
  const cyst = labelPreset("totalsegmentator-total").get(23);
  expect([cyst?.label, cyst?.anatomy?.value, cyst?.anatomyModifier?.meaning, cyst?.category.value]).toEqual([
    "Left kidney cyst",
    "64033007",
    "Left",
    "49755003",
  ]);
});

test.each(["dental-cbct", "toothfairy2", "dental-segmentator"])("%s: neighbours differ in colour", (name) => {
  const colours = Array.from(labelPreset(name), ([value, { color }]) =>
    storedLab(color ?? paletteColour(value)),
  );
  const differences = colours.slice(1).map((lab, at) => {
    const [l = 0, a = 0, b = 0] = lab.map((one, axis) => one - colours[at]![axis]!);
    return Math.hypot((l / 65535) * 100, (a / 65535) * 255, (b / 65535) * 255);
  });
  // Left and right of a pair may share a colour: they lie apart.
  const near = differences.flatMap((difference, at) => (difference < 10 ? [at + 1] : []));
  expect(near).toEqual(name === "dental-segmentator" ? [] : [3, 5]);
});

test("a preset that is not there is our fault", () => {
  expect(() => labelPreset("nothing")).toThrow(/ENOENT/);
});
