/**
 * Unique identifiers, PS3.5 clause 9: branded, so that a series UID cannot be passed for a study UID.
 *
 * Reading is lenient where devices are (trailing NUL or space); a leading zero in a component is tolerated, as
 * some scanners write it. Anything else than digits and dots is refused: a UID becomes part of queries and rows.
 */
import { createHash } from "node:crypto";
import { withoutPadding } from "./character-set.ts";

declare const kind: unique symbol;
type Branded<Kind extends string> = string & { readonly [kind]: Kind };

export type Uid = Branded<string>;
export type StudyUid = Branded<"Study">;
export type SeriesUid = Branded<"Series">;
export type InstanceUid = Branded<"Instance">;
export type SopClassUid = Branded<"SopClass">;
export type TransferSyntaxUid = Branded<"TransferSyntax">;

/** @returns the UID without padding, or undefined if the text is none (PS3.5 9.1) */
export function parseUid<Kind extends Uid>(text: string | undefined): Kind | undefined {
  if (text === undefined) return undefined;
  const trimmed = withoutPadding(text);
  return trimmed.length <= 64 && /^\d+(\.\d+)+$/.test(trimmed) ? (trimmed as Kind) : undefined;
}

/**
 * The same UID for the same parts, in any process: 2.25. and a name-based UUID (PS3.5 B.2, RFC 9562 version 8
 * over SHA-256).
 */
export function derivedUid<Kind extends Uid>(...parts: readonly string[]): Kind {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part};`);
  const bytes = hash.digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return `2.25.${BigInt(`0x${bytes.toString("hex")}`)}` as Kind;
}
