/**
 * When is a series complete? Pure: evidence and the time in, a decision out.
 *
 *   an announced number of images was met        → complete as soon as every association ended properly
 *   the stack has no gap, nothing was announced  → complete a short while (settle) after the last release
 *   anything else                                → complete after a quiet period
 *   more images are announced than came          → waits on, up to the maximum
 *   something still arrives                      → complete at the maximum wait at the latest
 *
 * A stack that arrives in blocks has no gap after each block; `settle` is what lets the next association begin.
 * An aborted association is no evidence of anything: then only quiet counts.
 */

export interface Evidence {
  /** Instances with different SOP Instance UIDs. */
  readonly instances: number;
  /** (0020,1209) Number of Series Related Instances, the largest that an instance named. */
  readonly announcedInSeries?: number;
  /** (0020,1002) Images in Acquisition; a series may have several acquisitions, so only its being met counts. */
  readonly announcedInAcquisition?: number;
  readonly stack: "gap-free" | "gaps" | "unknown";
  /** First and newest instance of this revision, epoch ms. */
  readonly openedAt: number;
  readonly lastAt: number;
  /** Associations that sent to this series and are still open. */
  readonly sending: number;
  /** When the last of them was released; undefined after an abort or a restart. */
  readonly releasedAt?: number;
}

export interface AssemblySettings {
  readonly settleMs: number;
  readonly quietPeriodMs: number;
  readonly maximumWaitMs: number;
}

type CompletionReason = "announced-count" | "gap-free" | "quiet-period" | "maximum-wait";

export type Decision =
  | { readonly kind: "complete"; readonly reason: CompletionReason }
  | { readonly kind: "wait"; readonly until: number };

export function decide(evidence: Evidence, settings: AssemblySettings, now: number): Decision {
  const latest = evidence.openedAt + settings.maximumWaitMs;
  if (now >= latest) return { kind: "complete", reason: "maximum-wait" };
  const at = dueAt(evidence, settings);
  if (at === undefined) return { kind: "wait", until: latest };
  return now >= at.time
    ? { kind: "complete", reason: at.reason }
    : { kind: "wait", until: Math.min(at.time, latest) };
}

function dueAt(
  evidence: Evidence,
  settings: AssemblySettings,
): { readonly time: number; readonly reason: CompletionReason } | undefined {
  const { instances, announcedInSeries, announcedInAcquisition, stack, releasedAt } = evidence;
  if (evidence.sending > 0) return undefined;
  if (announcedInSeries !== undefined && instances < announcedInSeries) return undefined;
  if (releasedAt !== undefined && stack !== "gaps") {
    const met = announcedInSeries !== undefined || announcedInAcquisition === instances;
    if (met) return { time: releasedAt, reason: "announced-count" };
    if (stack === "gap-free") return { time: releasedAt + settings.settleMs, reason: "gap-free" };
  }
  return { time: evidence.lastAt + settings.quietPeriodMs, reason: "quiet-period" };
}
