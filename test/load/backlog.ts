/** Ten thousand results wait for a PACS that was down for days; the node is started; then the PACS is back. */

import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { fromKeywords } from "../../src/dicom/build.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { encodePart10 } from "../../src/dicom/encode.ts";
import { derivedUid, type InstanceUid, type SeriesUid, type StudyUid } from "../../src/dicom/uid.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import type { FileId, RunRecord } from "../../src/ledger/records.ts";
import { insertDelivery } from "../../src/ledger/results.ts";
import { endRun, insertRun, runIdOf } from "../../src/ledger/runs.ts";
import { closeSeries, findSeries, recordInstance, seriesIdOf } from "../../src/ledger/series.ts";
import { instance } from "../ledger/support.ts";
import { freePort } from "../support/free-port.ts";
import { startPacs } from "../support/pacs.ts";
import { tempFolder } from "../support/temp.ts";
import { drained, echoes, percentile, startLoaded } from "./bench.ts";

const RESULTS = 10_000;
const RESULT_BYTES = 20_000;

/** @returns whether all of them arrived */
export async function queued(): Promise<boolean> {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "pacs"));
  await fill(join(folder.path, "data"));
  const port = await freePort();
  const began = performance.now();
  await using node = await startLoaded(folder.path, { pacsPort: port, models: {} });
  const startMs = performance.now() - began;
  const restMb = await node.process.peakRssMb();
  const stop = new AbortController();
  const echoing = echoes(node.process.port, stop.signal);
  const up = node.process.next("destination.up"); // it went down while the node warmed up
  await using pacs = await startPacs(join(folder.path, "pacs"), { port });
  await up;
  const left = await drained(node.dataFolder, 10 * 60_000);
  stop.abort();
  const echoed = await echoing;
  const distinct = new Set(pacs.stored.map(({ sopInstanceUid }) => sopInstanceUid)).size;
  console.log(`${RESULTS} results queued for a PACS that is down`);
  console.log(
    `  started in ${Math.round(startMs)} ms (3 s of it warming up), RSS ${restMb} MB, peak at the end ${await node.process.peakRssMb()} MB`,
  );
  console.log(
    `  all sent ${left} s after the PACS was back; ${distinct} objects, ${pacs.stored.length - distinct} twice`,
  );
  console.log(`  C-ECHO in ms: median ${percentile(echoed, 0.5)}, p99 ${percentile(echoed, 0.99)}`);
  return distinct === RESULTS && left !== "not";
}

async function fill(dataFolder: string): Promise<void> {
  const results = join(dataFolder, "results");
  await mkdir(results, { recursive: true });
  await mkdir(join(dataFolder, "instances"));
  using ledger = await openLedger(dataFolder, { log: silentLog, clock: systemClock });
  const now = Date.now();
  await ledger.store.transaction(async (t) => {
    for (let number = 0; number < RESULTS; number++) {
      const studyUid = `1.2.3.${number}` as StudyUid;
      const seriesUid = `1.2.3.${number}.1` as SeriesUid;
      const seriesId = seriesIdOf(studyUid, seriesUid);
      await recordInstance(
        t,
        instance(number, { id: `none-${number}` as FileId, studyUid, seriesUid, at: now }),
      );
      const closing = { at: now, reason: "gap-free", outcome: "assigned", outcomeReason: "all" };
      await closeSeries(t, (await findSeries(t, seriesId))!, closing);
      const run = runOf(seriesId, now);
      const result = { ...(await fileOf(results, run)), runId: run.id, form: "binary", part: 1 } as const;
      await insertRun(t, run);
      await endRun(t, run.id, { state: "done", results: [result], timings: {} }, now);
      await insertDelivery(t, result, "pacs", now);
    }
  });
}

function runOf(seriesId: RunRecord["seriesId"], createdAt: number): RunRecord {
  return {
    id: runIdOf(seriesId, 1, "bone", "1"),
    seriesId,
    revision: 1,
    rule: "all",
    model: "bone",
    modelVersion: "1",
    priority: 0,
    destinations: ["pacs"],
    position: 0,
    state: "pending",
    createdAt,
  };
}

async function fileOf(folder: string, { id }: RunRecord) {
  const transferSyntaxUid = TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN;
  const sopInstanceUid = derivedUid<InstanceUid>("queued", id);
  const sopClassUid = SOP_CLASS.SEGMENTATION;
  const dataSet = fromKeywords({ SOPClassUID: sopClassUid, SOPInstanceUID: sopInstanceUid });
  const pixels = { vr: "OB" as const, chunks: [new Uint8Array(RESULT_BYTES)] };
  const bytes = Buffer.concat(encodePart10(transferSyntaxUid, dataSet, pixels));
  const file = `${id}.dcm`;
  await writeFile(join(folder, file), bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { file, transferSyntaxUid, sopInstanceUid, sopClassUid, sha256, bytes: bytes.length };
}
