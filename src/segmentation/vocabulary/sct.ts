/**
 * SNOMED CT identifiers: their check digit (Verhoeff) and kind. Pure.
 *
 * The check digit tells every single wrong digit and every swap of neighbours: in a config typed by hand, one of them
 * would name another tooth.
 *
 * @see SNOMED CT Release File Specification, 6.2 and 6.3
 */

/** Whether the digits are the identifier of a concept: 6 to 18 of them, partition 00 or 10, check digit right. */
export function isConceptId(value: string): boolean {
  return /^[1-9]\d{2,14}[01]0\d$/.test(value) && hasCheckDigit(value);
}

function hasCheckDigit(digits: string): boolean {
  const sum = Array.from(digits, Number).reduceRight(
    (sum, digit, at) => product(sum, permuted(digit, (digits.length - 1 - at) % 8)),
    0,
  );
  return sum === 0;
}

/** Of two symmetries of a pentagon, 0 to 4 its rotations, 5 to 9 its reflections. */
function product(a: number, b: number): number {
  if (a < 5) return b < 5 ? (a + b) % 5 : 5 + ((a + b) % 5);
  return b < 5 ? 5 + ((a - b) % 5) : (a - b + 5) % 5;
}

const PERMUTATION = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

function permuted(digit: number, times: number): number {
  let result = digit;
  for (let time = 0; time < times; time++) result = PERMUTATION[result]!;
  return result;
}
