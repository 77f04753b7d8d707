/**
 * What an answer means for an inference: by its status, and by what its JSON says. Pure.
 *
 * "Busy" is spelled many ways by model servers: 429 and 503 by most, 409 by Cog, 408 by Azure ML, and by some as a
 * 200 with a sentence in it. A redirect is a refusal: the volume goes where the config says and nowhere else.
 */
import type { ErrorCode } from "../base/errors.ts";
import { scalarAt } from "./json.ts";
import type { Predicate } from "./model.ts";

export type Verdict =
  | { readonly kind: "answered" }
  | { readonly kind: "busy" }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly why: string };

/** What is busy where a model says nothing else. */
export const BUSY: readonly number[] = [408, 409, 425, 429, 503];

/** Longer documents are results. */
const MAX_SAID_BYTES = 1024 * 1024;

/** @param statuses  which are answers, and which mean busy */
export function verdictOn(
  status: number,
  { ok = [200], busy = BUSY }: { readonly ok?: readonly number[]; readonly busy?: readonly number[] } = {},
): Verdict {
  if (ok.includes(status)) return { kind: "answered" };
  if (busy.includes(status)) return { kind: "busy" };
  if (status < 300) return { kind: "failed", code: "MODEL_ANSWER_INVALID", why: "without a result" };
  if (status < 400)
    return { kind: "failed", code: "MODEL_REJECTED", why: "a redirect, which is not followed" };
  if (status === 401 || status === 403) {
    return { kind: "failed", code: "MODEL_REJECTED", why: "credentials refused" };
  }
  if (status === 413)
    return { kind: "failed", code: "MODEL_REJECTED", why: "request too large for the server" };
  if (status < 500) return { kind: "failed", code: "MODEL_REJECTED", why: "request refused" };
  if (status < 600) return { kind: "failed", code: "MODEL_UNAVAILABLE", why: "server error" };
  return { kind: "failed", code: "MODEL_ANSWER_INVALID", why: "no status of HTTP" };
}

/** Whether a JSON answer says what the predicate is about; what is no JSON says nothing. */
export function says(answer: Uint8Array, predicate: Predicate | undefined): boolean {
  if (!predicate || answer.length > MAX_SAID_BYTES || !looksLikeJson(answer)) return false;
  try {
    const value = scalarAt(answer, predicate.pointer);
    return value !== undefined && predicate.is.includes(value);
  } catch {
    return false; // whoever reads the answer will say what is wrong with it
  }
}

/**
 * Retry-After (RFC 9110 10.2.3): seconds, or a date.
 *
 * @param now  wall time, ms since 1970
 * @returns    ms from now, 0 or more; undefined if there is none or it makes no sense
 */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  if (!/^[A-Z][a-z]{2}, /.test(value)) return undefined;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function looksLikeJson(answer: Uint8Array): boolean {
  const first = answer.find((byte) => byte > 0x20);
  return first === 0x7b || first === 0x5b;
}
