/** May a series be complete? Then it is routed, and its runs are made. */
import { decide } from "../intake/assembly.ts";
import { evidenceOf } from "../intake/evidence.ts";
import type { Job } from "../ledger/port.ts";
import type { RunRecord, SeriesId, SeriesRecord } from "../ledger/records.ts";
import { insertRun, runIdOf } from "../ledger/runs.ts";
import { closeSeries, findSeries, instancesOf, studyBar } from "../ledger/series.ts";
import type { Routing } from "../routing/rules.ts";
import type { PipelineParts } from "./parts.ts";

const PRIORITY = { stat: 10, routine: 0 } as const;

/** close: key is a series. */
export async function closeJob(job: Job, parts: PipelineParts): Promise<void> {
  const { ledger, senders, stages, log, clock } = parts;
  const series = await findSeries(ledger.store.db, job.key as SeriesId);
  if (!series || series.state === "closed") {
    senders.forget(job.key as SeriesId); // known images were sent again
    return job.done();
  }
  const instances = await instancesOf(ledger.store.db, series.id);
  const [first] = instances;
  if (!first) throw new Error("bug: a series without instances");
  const stack = stages.stackEvidence(instances);
  const decision = decide(
    evidenceOf(series, instances, { ...senders.of(series.id), stack, upSince: parts.upSince }),
    parts.assembly,
    clock.now(),
  );
  const again = (runAt: number) => ({ queue: "close", key: series.id, runAt }) as const;
  if (decision.kind === "wait") {
    return job.done((t) => ledger.queue.enqueue(t, again(decision.until)));
  }
  const bar = await studyBar(ledger.store.db, series.studyUid);
  const routing: Routing | Barred =
    bar === undefined
      ? stages.route(await stages.readHeader(first), first, instances.length)
      : { kind: "barred", reason: bar };
  const closing = { at: clock.now(), reason: decision.reason, ...outcomeOfRouting(routing) };
  let revision: number | undefined;
  await job.done(async (t) => {
    revision = await closeSeries(t, series, closing);
    if (revision === undefined) return ledger.queue.enqueue(t, again(clock.now())); // another one came meanwhile
    for (const run of runsOf(series, revision, routing, parts)) {
      await insertRun(t, run);
      const { id: key, createdAt: runAt, priority, model: group } = run;
      await ledger.queue.enqueue(t, { queue: "infer", key, runAt, priority, group });
    }
  });
  ledger.queue.wake();
  if (revision === undefined) return;
  senders.forget(series.id);
  const { studyUid, seriesUid } = series;
  log.info("series.complete", {
    studyUid,
    seriesUid,
    revision,
    instances: instances.length,
    callingAeTitle: first.callingAeTitle,
    peer: first.peer,
    reason: decision.reason,
  });
  stages.complete(series.id, routing.kind === "assigned");
  const { outcome, outcomeReason: reason } = closing;
  const models = routing.kind === "assigned" ? routing.assignments.length : 0;
  log.info(`series.${outcome}`, { studyUid, seriesUid, revision, reason, count: models });
}

function runsOf(
  series: SeriesRecord,
  revision: number,
  routing: Routing | Barred,
  parts: PipelineParts,
): RunRecord[] {
  if (routing.kind !== "assigned") return [];
  const { stages, clock } = parts;
  return routing.assignments.map(({ model, destinations }) => {
    const modelVersion = stages.modelVersion(model);
    return {
      id: runIdOf(series.id, revision, model, modelVersion),
      seriesId: series.id,
      revision,
      rule: routing.rule,
      model,
      modelVersion,
      priority: PRIORITY[routing.priority],
      destinations,
      position: stages.modelPosition(model),
      state: "pending",
      createdAt: clock.now(),
    };
  });
}

/** Nothing of the study may enter a model. */
interface Barred {
  readonly kind: "barred";
  readonly reason: string;
}

function outcomeOfRouting(routing: Routing | Barred): {
  readonly outcome: string;
  readonly outcomeReason: string;
} {
  switch (routing.kind) {
    case "assigned":
      return { outcome: "assigned", outcomeReason: routing.rule };
    case "barred":
      return { outcome: "quarantined", outcomeReason: routing.reason };
    case "kept-out":
      return { outcome: "kept-out", outcomeReason: routing.reason };
    case "no-rule": {
      const considered = routing.considered.map(({ rule, why }) => `${rule}: ${why}`);
      return { outcome: "no-rule", outcomeReason: considered.join("; ") };
    }
  }
}
