/**
 * What lies in an anatomy without being one: findings, objects, tissues. Pure.
 *
 * SNOMED CT identifiers of PS3.16 (CID 7151, 7157, 7159, 7166), as pydicom carries them. Crown, bridge and dental
 * implant have no code there; they are a dental prosthesis and an implant, under labels of their own.
 */
import { CATEGORY, type Term, terms } from "./term.ts";

export const FINDINGS: readonly Term[] = [
  ...terms(CATEGORY.abnormal, "one", [
    ["52988006", "Lesion", [], [230, 60, 160]],
    ["367643001", "Cyst", [], [120, 220, 250]],
    ["108369006", "Neoplasm", ["tumor", "tumour"], [144, 238, 144]],
    ["4147007", "Mass", [], [144, 200, 100]],
    ["27925004", "Nodule", [], [200, 230, 90]],
    ["44132006", "Abscess", [], [210, 200, 60]],
    ["50960005", "Hemorrhage", ["haemorrhage", "bleeding"], [188, 20, 40]],
    ["41699000", "Effusion", [], [80, 160, 250]],
  ]),
  ...terms(CATEGORY.object, "one", [
    ["27606000", "Dental prosthesis", [], [220, 245, 20]],
    ["272287005", "Inlay dental restoration", ["inlay", "dental filling", "filling"], [78, 63, 200]],
    ["40388003", "Implant", [], [170, 170, 185]],
    ["68183006", "Bone screw", ["screw"], [150, 150, 170]],
    ["271003", "Bone plate", ["plate"], [190, 190, 205]],
    ["19227008", "Foreign body", [], [255, 120, 0]],
  ]),
  ...terms(CATEGORY.tissue, "one", [
    ["85756007", "Tissue", [], [128, 174, 128]],
    ["87784001", "Soft tissue", [], [220, 150, 130]],
    ["3138006", "Bone", ["bones"], [225, 220, 190]],
    ["256674009", "Fat", ["adipose tissue"], [230, 220, 70]],
    ["127954009", "Skeletal muscle", ["muscle"], [192, 104, 88]],
    ["39937001", "Skin", [], [177, 122, 101]],
  ]),
];
