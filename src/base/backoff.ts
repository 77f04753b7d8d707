/**
 * How long to wait before the next try. Pure.
 *
 * Exponential with a cap, and full jitter on the upper half: peers that failed together do not return together.
 */

export interface Backoff {
  readonly firstMs: number;
  readonly capMs: number;
}

/**
 * @param attempt  tries made so far, from 1
 * @param random   a number in [0, 1)
 * @returns        milliseconds, between half of and all of min(first × 2^(attempt−1), cap)
 */
export function backoffMs(backoff: Backoff, attempt: number, random: number): number {
  const full = Math.min(backoff.firstMs * 2 ** Math.min(attempt - 1, 40), backoff.capMs);
  return Math.round(full / 2 + (full / 2) * random);
}
