/**
 * Runs that wait for other runs: every model is a run of its own, and starts when those that it needs have answered.
 *
 * The rows are the record. A run that has to wait ends its job and has none, until a run that it needs answers or
 * ends: that one makes the job again, in the transaction of its own end. So a crash at any time loses no run.
 */
import { type NeedState, type Readiness, readiness } from "../inference/needs.ts";
import type { Db } from "../ledger/port.ts";
import type { RunRecord } from "../ledger/records.ts";
import { runsOfRevision } from "../ledger/runs.ts";
import type { PipelineParts } from "./parts.ts";

export type Standing =
  | Exclude<Readiness, { readonly kind: "ready" }>
  /** missing: needed models that will not answer, without which it may run. */
  | { readonly kind: "ready"; readonly missing: ReadonlySet<string> };

export async function standingOf(run: RunRecord, { ledger, stages }: PipelineParts): Promise<Standing> {
  const needs = stages.needs(run.model);
  if (Object.keys(needs).length === 0) return { kind: "ready", missing: new Set() };
  const runs = await runsOfRevision(ledger.store.db, run.seriesId, run.revision);
  const stateOf = (model: string): NeedState =>
    stateOfNeed(
      runs.find((other) => other.model === model),
      needs[model]?.crop !== undefined,
      () => stages.hasFindings(run, model),
    );
  const ready = readiness(needs, stateOf);
  if (ready.kind !== "ready") return ready;
  const missing = Object.keys(needs).filter((model) => stateOf(model).kind === "missing");
  return { kind: "ready", missing: new Set(missing) };
}

function stateOfNeed(run: RunRecord | undefined, crops: boolean, hasFindings: () => boolean): NeedState {
  switch (run?.state) {
    case undefined:
      return { kind: "missing", why: "was not asked" };
    case "pending":
      return crops && hasFindings() ? { kind: "found" } : { kind: "pending" };
    case "done":
      return { kind: "found" };
    case "no-finding":
      return crops ? { kind: "missing", why: "found nothing" } : { kind: "found" };
    case "failed":
    case "quarantined":
      return { kind: "missing", why: run.state === "failed" ? "failed" : "was quarantined" };
    case "discarded":
      return { kind: "missing", why: "was given up" };
  }
}

/** Their jobs are made again; one that runs or waits already stays as it is. */
export async function enqueueDependents(
  t: Db,
  run: RunRecord,
  { ledger, stages, clock }: PipelineParts,
): Promise<readonly RunRecord[]> {
  const names = stages.dependents(run.model);
  if (names.length === 0) return [];
  const runs = await runsOfRevision(t, run.seriesId, run.revision);
  const waiting = runs.filter(({ model, state }) => state === "pending" && names.includes(model));
  for (const { id: key, priority, model: group } of waiting)
    await ledger.queue.enqueue(t, { queue: "infer", key, runAt: clock.now(), priority, group });
  return waiting;
}
