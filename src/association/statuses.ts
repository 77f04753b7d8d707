/**
 * What a C-STORE status means for the one who sent the instance, PS3.4 B.2.3 and PS3.7 annex C. Pure.
 *
 * delivered: the peer has it, perhaps with a warning. retry: the peer may take it later. refused: never.
 */

export type StoreOutcome = "delivered" | "retry" | "refused";

/** @param status  (0000,0900), 16 bits */
export function outcomeOf(status: number): StoreOutcome {
  const range = RANGES.find(({ first, last }) => status >= first && status <= last);
  return range?.outcome ?? "refused";
}

interface Range {
  readonly first: number;
  readonly last: number;
  readonly outcome: StoreOutcome;
}

/** The table itself, for the conformance statement; what is in none of them is refused. */
export const RANGES: readonly Range[] = [
  { first: 0x0000, last: 0x0000, outcome: "delivered" }, // success
  { first: 0xb000, last: 0xbfff, outcome: "delivered" }, // warning: coerced, elements discarded, class mismatch
  { first: 0x0111, last: 0x0111, outcome: "delivered" }, // duplicate SOP instance: it is there already
  { first: 0x0110, last: 0x0110, outcome: "retry" }, // processing failure
  { first: 0xa700, last: 0xa7ff, outcome: "retry" }, // refused: out of resources
];
