/**
 * Spine, trunk and limbs: the bones of general CT models. Pure.
 *
 * SNOMED CT identifiers of PS3.16 as pydicom carries them; single vertebrae and ribs from the mapping that
 * TotalSegmentator publishes (totalsegmentator_snomed_mapping.csv). Their category is the present one of CID 7150.
 */
import type { Rgb } from "../colour.ts";
import { CATEGORY, type Row, type Term, terms } from "./term.ts";

const BONE: Rgb = [241, 214, 145];

/** C1 to S1. */
const VERTEBRAE =
  "C1:14806007 C2:39976000 C3:113205007 C4:5329002 C5:36978003 C6:36054005 C7:87391001 " +
  "T1:64864005 T2:53733008 T3:1626008 T4:73071006 T5:56401006 T6:45296009 T7:62487009 T8:11068009 T9:82687006 " +
  "T10:7610001 T11:12989004 T12:23215003 L1:66794005 L2:14293000 L3:36470004 L4:11994002 L5:49668003 S1:65985001";

/** From the first to the twelfth. */
const RIBS =
  "First:48535007 Second:78247007 Third:25888004 Fourth:25523003 Fifth:15339008 Sixth:59558009 " +
  "Seventh:24915002 Eighth:5953002 Ninth:22565002 Tenth:77644006 Eleventh:58830002 Twelfth:43993008";

export const SKELETON: readonly Term[] = [
  ...terms(CATEGORY.structure, "one", [
    ...series(VERTEBRAE, (level) => [
      `${level} vertebra`,
      [level, `vertebra ${level}`, `vertebrae ${level}`],
    ]),
    ["51282000", "Vertebra", ["vertebrae"], BONE],
    ["122494005", "Cervical spine", [], [200, 185, 140]],
    ["122495006", "Thoracic spine", [], [226, 202, 134]],
    ["122496007", "Lumbar spine", [], [212, 188, 102]],
    ["54735007", "Sacrum", [], BONE],
    ["56873002", "Sternum", [], [244, 217, 154]],
    ["50016007", "Costal cartilage", ["costal cartilages"], [111, 184, 210]],
  ]),
  ...terms(CATEGORY.structure, "pair", [
    ...series(RIBS, (name, at) => [`${name} rib`, [`rib ${at + 1}`]]),
    ["113197003", "Rib", ["ribs"], [253, 232, 158]],
    ["51299004", "Clavicle", ["clavicula", "collarbone"], [250, 230, 200]],
    ["79601000", "Scapula", ["shoulder blade"], [212, 188, 102]],
    ["85050009", "Humerus", [], [205, 179, 108]],
    ["23416004", "Ulna", [], [224, 205, 160]],
    ["62413002", "Radius", [], [230, 215, 140]],
    ["29836001", "Hip", [], [255, 238, 170]],
    ["71341001", "Femur", ["thigh bone"], [240, 225, 150]],
    ["64234005", "Patella", ["kneecap"], [235, 205, 120]],
    ["12611008", "Tibia", ["shin bone"], [255, 238, 170]],
    ["87342007", "Fibula", [], [206, 180, 105]],
  ]),
];

function series(
  codes: string,
  named: (name: string, at: number) => readonly [meaning: string, also: readonly string[]],
): readonly Row[] {
  return codes.split(" ").map((pair, at) => {
    const [name = "", value = ""] = pair.split(":");
    const [meaning, also] = named(name, at);
    return [value, meaning, also];
  });
}
