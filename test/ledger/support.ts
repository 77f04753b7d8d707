/** Rows and ledgers for the tests of this folder. */
import { type Log, silentLog } from "../../src/base/log.ts";
import type {
  InstanceUid,
  SeriesUid,
  SopClassUid,
  StudyUid,
  TransferSyntaxUid,
} from "../../src/dicom/uid.ts";
import { type Ledger, openLedger } from "../../src/ledger/ledger.ts";
import type { Queue } from "../../src/ledger/port.ts";
import type { FileId, InstanceRecord } from "../../src/ledger/records.ts";
import { seriesIdOf } from "../../src/ledger/series.ts";
import { HandClock } from "../support/clock.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

export const SERIES = seriesIdOf("1.2.3" as StudyUid, "1.2.3.4" as SeriesUid);

/** An instance of SERIES; its file is named after its number. */
export function instance(number: number, overrides: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    id: `file-${number}` as FileId,
    studyUid: "1.2.3" as StudyUid,
    seriesUid: "1.2.3.4" as SeriesUid,
    sopInstanceUid: `1.2.3.4.${number}` as InstanceUid,
    sopClassUid: "1.2.840.10008.5.1.4.1.1.2" as SopClassUid,
    transferSyntaxUid: "1.2.840.10008.1.2.1" as TransferSyntaxUid,
    sha256: `digest ${number}`,
    bytes: 525_000,
    callingAeTitle: "CBCT1",
    calledAeTitle: "ISOCENTER",
    peer: "127.0.0.1",
    at: 1000 + number,
    facts: { frames: 1, modality: "CT" },
    ...overrides,
  };
}

export interface TestLedger extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly clock: HandClock;
  readonly folder: TempFolder;
  /** Like `ledger.queue.work`, ended before the ledger is closed. */
  readonly work: Queue["work"];
  /** As if the process had died and another had begun. */
  reopen(): Promise<Ledger>;
}

export async function testLedger(options: { readonly log?: Log } = {}): Promise<TestLedger> {
  const folder = await tempFolder();
  const clock = new HandClock();
  const system = { log: options.log ?? silentLog, clock };
  let ledger = await openLedger(folder.path, system);
  const workers = new AsyncDisposableStack();
  return {
    get ledger() {
      return ledger;
    },
    clock,
    folder,
    work: (...job) => workers.use(ledger.queue.work(...job)),
    async reopen() {
      ledger[Symbol.dispose]();
      return (ledger = await openLedger(folder.path, system));
    },
    async [Symbol.asyncDispose]() {
      await workers.disposeAsync();
      ledger[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
