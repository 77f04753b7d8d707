/**
 * What the phantom is made of: tissue numbers for the truth, Hounsfield units for the picture. Pure.
 *
 * A tooth's tissue is its FDI number (ISO 3950): 11 to 18 upper right, 21 to 28 upper left, 31 to 38 lower left,
 * 41 to 48 lower right; the other tissues stay below 11.
 */

export const TISSUE = {
  outside: 0,
  soft: 1,
  mandible: 2,
  skull: 3,
  vertebra: 4,
  airway: 5,
  sinusLeft: 6,
  sinusRight: 7,
} as const;

/** Hounsfield units, as a well calibrated cone-beam device would show them. */
export const HU = {
  air: -1000,
  fat: -95,
  muscle: 55,
  skin: 20,
  mucosa: 40,
  cartilage: 130,
  cord: 30,
  marrow: 180,
  trabecular: 320,
  thinBone: 750,
  cortical: 1150,
  ligament: 250,
  pulp: 120,
  dentin: 1650,
  enamel: 2600,
} as const;

export function isTooth(tissue: number): boolean {
  return tissue >= 11;
}
