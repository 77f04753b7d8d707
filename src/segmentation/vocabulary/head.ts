/**
 * Head and jaws: what dental and ENT models find. Pure.
 *
 * SNOMED CT identifiers of PS3.16 (CID 4016, 4028, 7151, 7166 and others, as pydicom carries them). No context group
 * of DICOM has the mandibular canal, and no public source was found for its SNOMED CT identifier: it has that of MeSH.
 */
import type { Rgb } from "../colour.ts";
import { CATEGORY, type Term, terms } from "./term.ts";

const BONE: Rgb = [241, 214, 145];
const JAW: Rgb = [222, 198, 150];
const AIR: Rgb = [90, 170, 230];
const SINUS: Rgb = [120, 200, 210];
const NERVE: Rgb = [244, 214, 49];
const GLAND: Rgb = [205, 160, 205];
const MUCOSA: Rgb = [216, 101, 79];
const ARTERY: Rgb = [216, 60, 50];
const VEIN: Rgb = [60, 100, 220];

const CANAL: Term = {
  label: "Mandibular canal",
  also: ["inferior alveolar canal", "inferior alveolar nerve canal"],
  category: CATEGORY.structure,
  type: { scheme: "MSH", value: "D000088263", meaning: "Mandibular Canal" },
  side: "pair",
  color: NERVE,
};

export const HEAD: readonly Term[] = [
  CANAL,
  ...terms(CATEGORY.structure, "one", [
    ["91609006", "Mandible", ["lower jaw", "lower jawbone"], JAW],
    ["70925003", "Maxilla", ["upper jaw", "upper jawbone"], [240, 235, 215]],
    ["661005", "Jaw region", ["jaw"]],
    ["38754007", "Alveolar process of mandible", []],
    ["88176008", "Mandibular dental arch", ["lower teeth", "lower dental arch"], [235, 223, 180]],
    ["39481002", "Maxillary dental arch", ["upper teeth", "upper dental arch"], [220, 149, 101]],
    ["38199008", "Tooth", ["teeth"], [250, 250, 225]],
    ["89546000", "Skull", ["cranium"], BONE],
    ["52374004", "Ethmoid bone", []],
    ["73117003", "Sphenoid bone", []],
    ["74872008", "Frontal bone", []],
    ["31640002", "Occipital bone", []],
    ["87166008", "Vomer", ["vomer bone"]],
    ["21387005", "Hyoid bone", ["hyoid"], BONE],
    ["2095001", "Paranasal sinus", ["paranasal sinuses", "nasal sinus"], SINUS],
    ["279549004", "Nasal cavity", [], AIR],
    ["89187006", "Airway", ["airways", "upper airway"], AIR],
    ["54066008", "Pharynx", ["pharyngeal airway"], [111, 184, 210]],
    ["360955006", "Nasopharynx", [], [78, 152, 200]],
    ["31389004", "Oropharynx", [], [100, 190, 235]],
    ["81502006", "Hypopharynx", [], [60, 140, 190]],
    ["4596009", "Larynx", [], [150, 208, 243]],
    ["74262004", "Oral cavity", []],
    ["21974007", "Tongue", [], MUCOSA],
    ["49460000", "Soft palate", [], [230, 140, 120]],
    ["26140008", "Palatine uvula", ["uvula"], MUCOSA],
    ["89545001", "Face", [], [230, 190, 165]],
    ["12738006", "Brain", [], [250, 250, 225]],
    ["113305005", "Cerebellum", [], [194, 195, 164]],
    ["119238007", "Brain stem", ["brainstem"], [85, 188, 255]],
    ["61853006", "Spinal canal", ["vertebral canal"], NERVE],
    ["56329008", "Pituitary", ["pituitary gland"], GLAND],
  ]),
  ...terms(CATEGORY.structure, "pair", [
    ["15924003", "Maxillary sinus", [], SINUS],
    ["55060009", "Frontal sinus", [], [150, 190, 240]],
    ["74386004", "Nasal bone", [], BONE],
    ["13881006", "Zygoma", ["zygomatic bone", "cheekbone"], [200, 185, 140]],
    ["53620006", "Temporomandibular joint", ["TMJ"], [177, 140, 190]],
    ["60911003", "Temporal bone", []],
    ["24924006", "Parietal bone", []],
    ["51283005", "Palatine bone", []],
    ["6229007", "Lacrimal bone", []],
    ["59066005", "Mastoid bone", ["mastoid"]],
    ["363654007", "Orbit", []],
    ["79652003", "Eyeball", ["eye"], [194, 142, 0]],
    ["18234004", "Optic nerve", [], NERVE],
    ["45289007", "Parotid gland", ["parotid"], GLAND],
    ["54019009", "Submandibular gland", [], [180, 140, 200]],
    ["86117002", "Internal carotid artery", [], ARTERY],
    ["12123001", "Internal jugular vein", [], VEIN],
  ]),
];
