/**
 * What is done now and then beside the jobs: orders of the operator, obligations without a job, studies whose time
 * is over. Each look ends before the next begins; one that fails is said and done again.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Outbox } from "../delivery/outbox.ts";
import type { Spool } from "../intake/spool.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { seriesOfStudy, takeOrders } from "../ledger/orders.ts";
import { type RetentionSettings, removable, removeRows } from "../ledger/retention.ts";
import type { Superseding } from "./superseding.ts";

export interface UpkeepParts {
  readonly ledger: Ledger;
  readonly spool: Spool;
  readonly outbox: Outbox;
  readonly superseding: Superseding;
  readonly retention: RetentionSettings;
  readonly log: Log;
  readonly clock: Clock;
}

const ORDERS_EVERY_MS = 500;
const SWEEP_EVERY_MS = 60_000;
const CLEAN_EVERY_MS = 5 * 60_000;

export function startUpkeep(parts: UpkeepParts): AsyncDisposable {
  const tasks = [
    repeated(ORDERS_EVERY_MS, "orders", () => orders(parts), parts),
    repeated(SWEEP_EVERY_MS, "sweep", () => sweep(parts), parts),
    repeated(CLEAN_EVERY_MS, "clean", () => clean(parts), parts),
  ];
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(tasks.map((task) => task[Symbol.asyncDispose]()));
    },
  };
}

async function orders({ ledger, superseding, clock }: UpkeepParts): Promise<void> {
  for (const { kind, study } of await takeOrders(ledger, clock.now())) {
    if (kind !== "discard") continue;
    for (const series of await seriesOfStudy(ledger.store.db, study)) superseding.reopened(series);
  }
}

async function sweep({ ledger, log }: UpkeepParts): Promise<void> {
  const count = await ledger.sweep();
  if (count === 0) return;
  log.warn("ledger.swept", { count });
  ledger.queue.wake();
}

/** Rows first: a file without a row is an orphan, a row without a file would be a loss. */
async function clean({ ledger, spool, outbox, retention, log, clock }: UpkeepParts): Promise<void> {
  for (const studyUid of await removable(ledger.store.db, retention, clock.now())) {
    const gone = await ledger.store.transaction((t) => removeRows(t, studyUid, clock.now()));
    const files = [
      ...gone.instances.map((id) => spool.remove(id)),
      ...gone.results.map((file) => outbox.remove(file)),
      ...gone.runs.map((run) => outbox.removeMeasurements(run)),
    ];
    const left = (await Promise.allSettled(files)).filter(({ status }) => status === "rejected").length;
    log.info("study.removed", { studyUid, instances: gone.instances.length, count: files.length - left });
  }
}

function repeated(
  everyMs: number,
  what: string,
  work: () => Promise<void>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): AsyncDisposable {
  const stop = new AbortController();
  let isFailing = false;
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await clock.sleep(everyMs, { signal: stop.signal });
      try {
        await work();
        isFailing = false;
      } catch (error) {
        if (!isFailing) log.error("upkeep.failed", { reason: what, error }); // said once, until it goes well again
        isFailing = true;
      }
    }
  };
  const ended = run().catch(() => {}); // the sleep, when it is stopped
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}
