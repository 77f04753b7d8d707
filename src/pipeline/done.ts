/** Has everything about a study come to an end? Said once it has, after a run or a delivery of it ended. */
import { isStudyAtRest } from "../ledger/backlog.ts";
import type { RunRecord } from "../ledger/records.ts";
import { about, type PipelineParts } from "./parts.ts";

export async function sayIfDone(run: RunRecord, { ledger, log }: PipelineParts): Promise<void> {
  const { studyUid } = about(run);
  if (studyUid !== undefined && (await isStudyAtRest(ledger.store.db, studyUid)))
    log.info("study.done", { studyUid });
}
