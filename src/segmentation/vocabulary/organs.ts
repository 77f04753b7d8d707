/**
 * Organs, vessels and muscles of neck and trunk. Pure.
 *
 * SNOMED CT identifiers of PS3.16 as pydicom carries them, and for what these lack, those that TotalSegmentator
 * publishes (totalsegmentator_snomed_mapping.csv). Where that mapping names another thing, it was not followed: its
 * 29700009 is the right subclavian artery only, 181674001 the entire gluteus maximus rather than its structure.
 */
import type { Rgb } from "../colour.ts";
import { CATEGORY, type Term, terms } from "./term.ts";

const ARTERY: Rgb = [216, 60, 50];
const VEIN: Rgb = [60, 100, 220];
const MUSCLE: Rgb = [192, 104, 88];
const BOWEL: Rgb = [205, 167, 142];

export const ORGANS: readonly Term[] = [
  ...terms(CATEGORY.structure, "one", [
    ["10200004", "Liver", [], [221, 130, 101]],
    ["78961009", "Spleen", [], [157, 108, 162]],
    ["28231008", "Gallbladder", [], [139, 150, 98]],
    ["15776009", "Pancreas", [], [249, 180, 111]],
    ["69695003", "Stomach", [], [216, 132, 105]],
    ["32849002", "Esophagus", ["oesophagus"], [211, 171, 143]],
    ["38848004", "Duodenum", [], [255, 253, 229]],
    ["30315005", "Small intestine", ["small bowel"], BOWEL],
    ["71854001", "Colon", [], [204, 168, 143]],
    ["34402009", "Rectum", [], [180, 140, 120]],
    ["89837001", "Urinary bladder", ["bladder"], [222, 154, 132]],
    ["41216001", "Prostate", [], [230, 158, 140]],
    ["35039007", "Uterus", [], [255, 181, 158]],
    ["44567001", "Trachea", ["windpipe"], [182, 228, 255]],
    ["69748006", "Thyroid gland", ["thyroid"], [62, 162, 114]],
    ["9875009", "Thymus", [], [47, 150, 103]],
    ["2748008", "Spinal cord", [], [244, 214, 49]],
    ["80891009", "Heart", [], [206, 110, 84]],
    ["74281007", "Myocardium", ["heart myocardium"], [192, 104, 88]],
    [
      "72481006",
      "Middle lobe of right lung",
      ["lung middle lobe right", "right middle lobe"],
      [202, 164, 140],
    ],
    ["5798000", "Diaphragm", [], MUSCLE],
    ["15825003", "Aorta", [], [224, 97, 76]],
    ["12691009", "Brachiocephalic artery", ["brachiocephalic trunk", "innominate artery"], [196, 72, 60]],
    ["81040000", "Pulmonary artery", [], [0, 122, 171]],
    ["122972007", "Pulmonary vein", ["pulmonary veins"], [186, 77, 64]],
    ["48345005", "Superior vena cava", [], [0, 151, 206]],
    ["64131007", "Inferior vena cava", [], [0, 131, 186]],
    ["32764006", "Portal vein", [], [0, 151, 206]],
    ["110765007", "Portal vein and splenic vein", [], [0, 141, 196]],
    ["41801008", "Coronary artery", ["coronary arteries"], ARTERY],
    ["59820001", "Blood vessel", ["vessel"], ARTERY],
  ]),
  // Cardiac chambers, whose codes name the side.
  ...terms(CATEGORY.structure, "own", [
    ["82471001", "Left atrium", ["heart atrium left"], [184, 60, 90]],
    ["73829009", "Right atrium", ["heart atrium right"], [90, 100, 180]],
    ["87878005", "Left ventricle", ["heart ventricle left"], [152, 55, 13]],
    ["53085002", "Right ventricle", ["heart ventricle right"], [181, 85, 57]],
    [
      "33626005",
      "Left auricular appendage",
      ["atrial appendage left", "left atrial appendage"],
      [225, 120, 90],
    ],
  ]),
  ...terms(CATEGORY.structure, "pair", [
    ["64033007", "Kidney", [], [185, 102, 83]],
    ["23451007", "Adrenal gland", ["suprarenal gland"], [244, 186, 150]],
    ["39607008", "Lung", [], [197, 165, 145]],
    ["45653009", "Upper lobe of lung", ["lung upper lobe", "upper lobe"], [172, 138, 115]],
    ["90572001", "Lower lobe of lung", ["lung lower lobe", "lower lobe"], [224, 186, 162]],
    ["32062004", "Common carotid artery", [], ARTERY],
    ["36765005", "Subclavian artery", [], [230, 80, 60]],
    ["73634005", "Common iliac artery", ["iliac artery"], ARTERY],
    ["8887007", "Brachiocephalic vein", ["innominate vein"], VEIN],
    ["9454009", "Subclavian vein", [], VEIN],
    ["46027005", "Common iliac vein", ["iliac vein", "iliac vena"], VEIN],
    ["206007", "Gluteus maximus muscle", ["gluteus maximus"], MUSCLE],
    ["78333006", "Gluteus medius muscle", ["gluteus medius"], [205, 120, 100]],
    ["75297007", "Gluteus minimus muscle", ["gluteus minimus"], [178, 90, 76]],
    ["68455001", "Iliopsoas muscle", ["iliopsoas"], [210, 110, 80]],
    ["244849004", "Deep muscle of back", ["autochthon", "deep back muscle"], [186, 84, 84]],
  ]),
];
