/**
 * The teeth by their FDI number (ISO 3950). Pure.
 *
 * SNOMED CT identifiers of PS3.16 CID 4018 (permanent) and CID 4019 (deciduous) in their present form, which names
 * permanent teeth; checked against the national FDI tables of Belgium (ehealth.fgov.be) and Indonesia (SATUSEHAT).
 * Each code names quadrant and side, so no modifier goes beside it.
 */
import { hueColour, type Rgb } from "../colour.ts";
import { CATEGORY, type Term } from "./term.ts";

const PERMANENT = `
  11:422653006 12:424877001 13:860767006 14:57826002 15:36492000 16:865995000 17:863902006 18:68085002
  21:424399000 22:423185002 23:860780009 24:61897005 25:23226009 26:865988009 27:863901004 28:87704003
  31:425106001 32:423331005 33:860782001 34:2400006 35:24573005 36:866006002 37:863898000 38:74344005
  41:424575004 42:423937004 43:860785004 44:80140008 45:8873007 46:866005003 47:863899008 48:38994002`;

const DECIDUOUS = `
  51:88824007 52:65624003 53:30618001 54:17505006 55:27855007
  61:51678005 62:43622005 63:73937000 64:45234009 65:51943008
  71:89552004 72:14770005 73:43281008 74:38896004 75:49330006
  81:67834006 82:22445006 83:6062009 84:58646007 85:61868007`;

const QUADRANTS = ["maxillary right", "maxillary left", "mandibular left", "mandibular right"];
const FRONT = ["central incisor", "lateral incisor", "canine"];
const BACK = {
  Permanent: ["first premolar", "second premolar", "first molar", "second molar", "third molar"],
  Deciduous: ["first molar", "second molar"],
};

export const TEETH: readonly Term[] = [...teeth("Permanent", PERMANENT), ...teeth("Deciduous", DECIDUOUS)];

function teeth(set: keyof typeof BACK, codes: string): readonly Term[] {
  return codes
    .trim()
    .split(/\s+/)
    .map((pair) => {
      const [number = "", value = ""] = pair.split(":");
      const quadrant = QUADRANTS[(Number(number[0]) - 1) % 4];
      const tooth = [...FRONT, ...BACK[set]][Number(number[1]) - 1];
      return {
        label: `Tooth ${number}`,
        also: [`FDI ${number}`],
        category: CATEGORY.structure,
        type: { scheme: "SCT", value, meaning: `${set} ${quadrant} ${tooth} tooth` },
        side: "own",
        color: colourOf(Number(number[0]), Number(number[1])),
      };
    });
}

/**
 * A hue for each place, a turn of it for each quadrant, so that no two teeth of a set share a colour; neighbours, the
 * midline and the opposing jaw included, lie far apart on the wheel. Deciduous teeth are paler.
 */
function colourOf(quadrant: number, place: number): Rgb {
  const turn = (quadrant - 1) % 4;
  const hue = 45 * (place + [0, 4, 6, 2][turn]!) + 11.25 * turn;
  return hueColour(hue, (place % 2 === 1 ? 0.6 : 0.4) * (quadrant > 4 ? 0.6 : 1));
}
