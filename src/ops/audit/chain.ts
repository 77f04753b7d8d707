/**
 * A hash chain over the lines of the audit trail: who changes, removes or inserts a line breaks it. Pure.
 *
 *   line     sequence number, hash, message; separated by one blank
 *   hash     SHA-256 over the hash before, the sequence number and the message, hexadecimal
 *
 * Lines cut off the end leave no trace in what remains: the last number and hash have to be compared with those that
 * the syslog collector has.
 */
import { createHash } from "node:crypto";

export interface Link {
  /** From 1. */
  readonly sequence: number;
  readonly hash: string;
}

/** Before the first line. */
export const START: Link = { sequence: 0, hash: "0".repeat(64) };

export function nextLine(before: Link, message: string): { readonly link: Link; readonly line: string } {
  const sequence = before.sequence + 1;
  const hash = createHash("sha256").update(`${before.hash} ${sequence} ${message}`).digest("hex");
  return { link: { sequence, hash }, line: `${sequence} ${hash} ${message}` };
}

export type Followed =
  | { readonly kind: "link"; readonly link: Link; readonly message: string }
  | { readonly kind: "broken"; readonly reason: string };

/** Whether a line follows a link. @param before  undefined for the first line of a file whose predecessor is gone */
export function follow(before: Link | undefined, line: string): Followed {
  const [, number = "", hash = "", message = ""] = /^(\d{1,15}) ([0-9a-f]{64}) (.*)$/s.exec(line) ?? [];
  if (number === "") return { kind: "broken", reason: "is no line of an audit trail" };
  const sequence = Number(number);
  if (!before) return { kind: "link", link: { sequence, hash }, message };
  if (sequence !== before.sequence + 1)
    return { kind: "broken", reason: `has the number ${sequence} where ${before.sequence + 1} is next` };
  const { link } = nextLine(before, message);
  if (link.hash !== hash) return { kind: "broken", reason: `number ${sequence} is not what was written` };
  return { kind: "link", link, message };
}
