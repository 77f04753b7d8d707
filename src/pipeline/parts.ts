/**
 * What the jobs of the spine share: the parts they are given, and what their log lines are about.
 *
 * A series goes through the stages in order, by three kinds of jobs: close.ts, infer.ts, deliver.ts. Each reads its
 * row, does its part, and ends in one transaction with what it made. A job may run twice after a crash; what it
 * makes is then the same thing again, under the same UIDs. No logic of a stage is here.
 */
import type { Clock } from "../base/clock.ts";
import type { Log, LogFields } from "../base/log.ts";
import type { Courier } from "../delivery/deliver.ts";
import type { Outbox } from "../delivery/outbox.ts";
import type { Quarantine } from "../delivery/quarantine.ts";
import type { AssemblySettings } from "../intake/assembly.ts";
import type { Senders } from "../intake/senders.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { RunRecord } from "../ledger/records.ts";
import type { Stages } from "../stages.ts";
import type { Reachability } from "./reachability.ts";
import type { Superseding } from "./superseding.ts";

export interface PipelineParts {
  readonly stages: Stages;
  readonly ledger: Ledger;
  readonly senders: Senders;
  readonly outbox: Outbox;
  readonly quarantine: Quarantine;
  readonly courier: Courier;
  readonly assembly: AssemblySettings;
  readonly superseding: Superseding;
  readonly reachability: Reachability;
  /** When the node began to listen, epoch ms. */
  readonly upSince: number;
  readonly log: Log;
  readonly clock: Clock;
}

export function about({ seriesId, model }: RunRecord): Pick<LogFields, "studyUid" | "seriesUid" | "model"> {
  const [studyUid = "", seriesUid = ""] = seriesId.split(" ");
  return { studyUid, seriesUid, model };
}
