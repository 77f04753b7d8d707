/**
 * One bad (or oddly good) conversation as data: what is sent on a connection of its own, and what has to come back.
 *
 * An answer is written as it is seen on the wire, one word per PDU: "AC", "RJ 1/1/3" (result, source, reason),
 * "ABORT 2/6" (source, reason; the connection has to close behind it), "RSP A900" (a response with that status),
 * "RLRP", "closed" (the end of the connection without a word), "silence".
 */
import type { Kept, Target } from "./target.ts";

export interface Case {
  /** T transport, D PDU and state, A association, P data values, M messages, S storage; then a number. */
  readonly id: string;
  readonly name: string;
  /** Sent first, on a new connection, and has to be answered by A-ASSOCIATE-AC. */
  readonly opening?: Uint8Array;
  readonly sends: () => Iterable<Uint8Array>;
  /** How the peer leaves after it has sent all; it stays by default. */
  readonly leaves?: "fin" | "reset";
  /** All that has to come back, PDUs separated by a comma. The last one is not waited behind. */
  readonly answer: string;
  /** How many instances the server has more afterwards; 0 if absent. */
  readonly keeps?: number;
  /** The peer sends its bytes one at a time, with so many milliseconds between them. */
  readonly trickleMs?: number;
  /** What ends it is a time-out of the server. */
  readonly timed?: true;
  /** Looks at what the case has left behind. @returns what is wrong */
  readonly afterwards?: (target: Target, kept: readonly Kept[]) => string | undefined;
  /** Several connections or other things that bytes alone do not say. @returns what was seen */
  readonly play?: (target: Target) => Promise<string>;
}

/** died, hung, leaked: the server. wrong: the answer. weak: as good as right, but the peer is not told. */
export type Verdict = "ok" | "weak" | "died" | "hung" | "leaked" | "wrong";

export interface Result {
  readonly id: string;
  readonly name: string;
  readonly verdict: Verdict;
  readonly seen: string;
  readonly detail?: string;
}

/**
 * What an answer is worth where another one was expected, by any server: a refusal is a refusal, whichever reason
 * it names, and a failure status is one. Success for what is bad is wrong, and so is a refusal of what is good.
 */
export function worth(expected: string, seen: string): Verdict {
  if (seen === expected) return "ok";
  const [want, have] = [expected.split(", ").map(kindOf), seen.split(", ").map(kindOf)];
  if (want.join() === have.join()) return "ok";
  if (have.at(-1) === "silence") return want.at(-1) === "left" ? "hung" : "wrong";
  const last = want.at(-1);
  if (last === "refused" || last === "failure") {
    if (have.some((kind) => kind === "success") && want.every((kind) => kind !== "success")) return "wrong";
    if (have.at(-1) === "refused") return "ok";
    if (have.at(-1) === "left") return "weak";
  }
  return "wrong";
}

function kindOf(answer: string): string {
  if (/^(ABORT|RJ)/.test(answer)) return "refused";
  if (answer === "RSP 0000") return "success";
  if (answer.startsWith("RSP")) return "failure";
  return answer === "closed" ? "left" : answer;
}
