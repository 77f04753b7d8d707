/**
 * Whether it is worth asking a peer now: after some failures in a row it is left alone for a while, then asked once.
 *
 *   closed ──failuresToOpen in a row──▶ open ──the rest is over──▶ half-open (the next outcome decides)
 *   half-open ──up──▶ closed            half-open ──down──▶ open, for longer
 *
 * Pure: the state and the time in, the next state out. "up" is any answer of the peer, a refusal too; "down" is
 * silence. Who keeps the state sees to it that only one asks while it is half-open.
 */
import { type Backoff, backoffMs } from "./backoff.ts";

export interface Breaker {
  /** In a row. */
  readonly failures: number;
  /** Epoch ms until which the peer is left alone; in the past once it may be asked. */
  readonly restsUntil: number;
}

export interface BreakerSettings extends Backoff {
  readonly failuresToOpen: number;
}

export const CLOSED: Breaker = { failures: 0, restsUntil: 0 };

/** @param random  a number in [0, 1): peers that failed together are not asked again together */
export function after(
  breaker: Breaker,
  outcome: "up" | "down",
  {
    settings,
    now,
    random,
  }: { readonly settings: BreakerSettings; readonly now: number; readonly random: number },
): Breaker {
  if (outcome === "up") return CLOSED;
  const failures = breaker.failures + 1;
  const rests = failures - settings.failuresToOpen + 1;
  return { failures, restsUntil: rests > 0 ? now + backoffMs(settings, rests, random) : 0 };
}

export function stateOf(breaker: Breaker, now: number): "closed" | "open" | "half-open" {
  if (breaker.restsUntil === 0) return "closed";
  return now < breaker.restsUntil ? "open" : "half-open";
}
