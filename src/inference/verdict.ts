/**
 * What an HTTP status means for an inference. Pure.
 *
 * "Busy" is spelled many ways by model servers: 429 and 503 by most, 409 by Cog, 408 by Azure ML. A redirect is a
 * refusal: the volume goes where the config says and nowhere else.
 */
import type { ErrorCode } from "../base/errors.ts";

export type Verdict =
  | { readonly kind: "answered" }
  | { readonly kind: "busy" }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly why: string };

const BUSY = new Set([408, 409, 425, 429, 503]);

export function verdictOn(status: number): Verdict {
  if (status === 200) return { kind: "answered" };
  if (BUSY.has(status)) return { kind: "busy" };
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
