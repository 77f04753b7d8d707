/**
 * When the results of a series are sent: each as it is ready, or together.
 *
 * Every delivery is in the ledger as soon as its result is. A rule that waits for the others gives it a late due
 * time, which the end of the last run brings forward, in the transaction of that end.
 */
import type { Db } from "../ledger/port.ts";
import type { RunRecord } from "../ledger/records.ts";
import { pendingDeliveriesOf } from "../ledger/results.ts";
import { runsOfRevision } from "../ledger/runs.ts";
import type { PipelineParts } from "./parts.ts";

/** Longer than any run can take; what waits so long is sent all the same. */
const ALL_MS = 7 * 24 * 3_600_000;

/** @returns epoch ms */
export function dueAt(run: RunRecord, { stages, clock }: PipelineParts): number {
  const fanIn = stages.fanIn(run.rule);
  const now = clock.now();
  switch (fanIn.kind) {
    case "asReady":
      return now;
    case "all":
      return run.createdAt + ALL_MS;
    case "partial":
      return Math.max(now, run.createdAt + fanIn.afterMs);
  }
}

/** After the end of a run is in the ledger: if it was the last, what waited for it goes. */
export async function releaseIfLast(t: Db, run: RunRecord, parts: PipelineParts): Promise<void> {
  const { ledger, stages, clock } = parts;
  if (stages.fanIn(run.rule).kind === "asReady") return;
  const runs = await runsOfRevision(t, run.seriesId, run.revision);
  if (runs.some(({ state }) => state === "pending")) return;
  for (const { id, priority } of runs) {
    for (const delivery of await pendingDeliveriesOf(t, id)) {
      const { id: key, destination: group } = delivery;
      await ledger.queue.enqueue(t, { queue: "deliver", key, runAt: clock.now(), group, priority });
    }
  }
}
