/** Durations and sizes as the config writes them: `500ms`, `15m`, `72h`; `128KiB`, `4GiB`. Pure. */

const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export const DURATION_PATTERN = /^(\d{1,9})(ms|s|m|h|d)$/;
export const SIZE_PATTERN = /^(\d{1,9})(B|KiB|MiB|GiB|TiB)$/;

/** @returns ms, or undefined if the text is no duration */
export function parseDuration(text: string): number | undefined {
  return amount(text, DURATION_PATTERN, DURATION_MS);
}

/** @returns bytes, or undefined if the text is no size */
export function parseSize(text: string): number | undefined {
  return amount(text, SIZE_PATTERN, SIZE_BYTES);
}

function amount(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  const [, count, unit] = pattern.exec(text) ?? [];
  const factor = unit === undefined ? undefined : units[unit];
  return factor === undefined ? undefined : Number(count) * factor;
}
