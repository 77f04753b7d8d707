/**
 * A concept as the config writes it, by name or by code, and what the vocabulary knows about it. Pure.
 *
 * A code may be written for what the table knows too, with a meaning in another language: the code stays as it is
 * written, category and colour come from the table. A meaning that is the name of something else is a slip.
 */
import { parseCode } from "./codes.ts";
import type { Code } from "./segment.ts";
import type { Term } from "./vocabulary/term.ts";
import { findTerm, termOfCode } from "./vocabulary.ts";

export interface Concept {
  readonly code: Code;
  /** What the table has under this name or code. */
  readonly term?: Term;
  /** From the name, as in "left maxillary sinus". */
  readonly side?: Code;
}

export type Read =
  | { readonly kind: "concept"; readonly concept: Concept }
  | { readonly kind: "wrong"; readonly reason: string }
  | { readonly kind: "unknown" };

export function readConcept(text: string): Read {
  const found = findTerm(text);
  switch (found.kind) {
    case "term": {
      const { term, side } = found;
      return { kind: "concept", concept: { code: term.type, term, ...(side && { side }) } };
    }
    case "wrong":
      return found;
    case "unknown":
      return text.includes(":") ? readCode(text) : found;
  }
}

function readCode(text: string): Read {
  const parsed = parseCode(text);
  if (parsed.kind === "wrong") return parsed;
  const term = termOfCode(parsed.code);
  const named = findTerm(parsed.code.meaning);
  if (term && named.kind === "term" && named.term !== term) {
    const { scheme, value, meaning } = parsed.code;
    return { kind: "wrong", reason: `${scheme}:${value} is ${term.label}, not ${meaning}` };
  }
  return { kind: "concept", concept: { code: parsed.code, ...(term && { term }) } };
}
