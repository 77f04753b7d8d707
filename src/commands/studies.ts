/**
 * `isocenter studies | show | receipt | retry | discard`: looks at the work of a node, and gives it orders.
 *
 * All of it over the node's data folder, whether the node runs or not: what is asked is read from its ledger; an
 * order is left there for the node that runs, and carried out at once where none does.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import { loadConfig } from "../config/load.ts";
import { accountKept, accountOf, type StudyAccount, studyOf } from "../ledger/account.ts";
import { openLedger } from "../ledger/ledger.ts";
import { carryOut, leaveOrder, type Order, type OrderKind, type OrderOutcome } from "../ledger/orders.ts";
import { studiesOf } from "../ledger/overview.ts";
import { openReader } from "../ledger/sqlite.ts";
import { accountText, linesText } from "./study-text.ts";

export interface LookOptions {
  readonly config: string;
  readonly json: boolean;
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
}

const ANSWER_WITHIN_MS = 10_000;
const LOOK_EVERY_MS = 100;

/** @returns the exit code */
export function studies(most: number, options: LookOptions): Promise<number> {
  return inFolder(options, async (folder) => {
    using db = openReader(folder);
    const { studies } = await studiesOf(db, {}, { limit: most });
    options.print(options.json ? JSON.stringify(studies, null, 2) : linesText(studies));
    return 0;
  });
}

/** @param how  receipt: with every image; show: without. @returns the exit code */
export function show(uid: string, how: "show" | "receipt", options: LookOptions): Promise<number> {
  return inFolder(options, async (folder) => {
    using db = openReader(folder);
    const study = await studyOf(db, uid);
    const account = study && ((await accountOf(db, study)) ?? (await accountKept(db, study)));
    if (!account) return unknown(uid, options);
    options.print(options.json ? jsonOf(account, how) : accountText(account, how));
    return 0;
  });
}

/** @returns the exit code */
export function order(kind: OrderKind, uid: string, options: LookOptions): Promise<number> {
  return inFolder(options, async (folder) => {
    const study = await findStudy(folder, uid);
    if (study === undefined) return unknown(uid, options);
    const outcome = await given(folder, { kind, study });
    if (!outcome) {
      options.complain(
        `The node did not answer within ${ANSWER_WITHIN_MS / 1000} s; the order waits for it.`,
      );
      return 1;
    }
    options.print(
      options.json ? JSON.stringify({ study, kind, ...outcome }) : outcomeText(kind, study, outcome),
    );
    return 0;
  });
}

/** To the node that runs, or carried out here where none does. */
async function given(folder: string, what: Order): Promise<OrderOutcome | undefined> {
  try {
    using ledger = await openLedger(folder, { log: silentLog, clock: systemClock });
    const { store, queue } = ledger;
    return await store.transaction((t) => carryOut(t, what, { queue, now: systemClock.now() }));
  } catch (error) {
    if (!(error instanceof NodeError && error.code === "DATA_FOLDER_IN_USE")) throw error;
  }
  const outcome = leaveOrder(folder, what, systemClock.now());
  for (let waited = 0; waited < ANSWER_WITHIN_MS; waited += LOOK_EVERY_MS) {
    const found = outcome();
    if (found) return found;
    await sleep(LOOK_EVERY_MS);
  }
  return undefined;
}

async function findStudy(folder: string, uid: string): Promise<string | undefined> {
  using db = openReader(folder);
  return studyOf(db, uid);
}

async function inFolder(
  { config, complain }: LookOptions,
  work: (folder: string) => Promise<number>,
): Promise<number> {
  const loaded = await loadConfig(config);
  if (loaded.kind === "invalid") {
    for (const { file, line, column, message } of loaded.problems)
      complain(`${file}:${line}:${column}: ${message}`);
    return 1;
  }
  try {
    return await work(loaded.config.node.dataDir);
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    complain(`${error.message} (data folder ${loaded.config.node.dataDir})`);
    return 1;
  }
}

function unknown(uid: string, { complain }: LookOptions): number {
  complain(`${uid} is no study, series, image or result that this node knows.`);
  return 1;
}

function jsonOf(account: StudyAccount, how: "show" | "receipt"): string {
  const series = account.series.map(({ instances, ...rest }) =>
    how === "receipt" ? { ...rest, instances } : rest,
  );
  return JSON.stringify({ ...account, series }, null, 2);
}

function outcomeText(
  kind: OrderKind,
  study: string,
  { runs, deliveries, jobs, series }: OrderOutcome,
): string {
  const what = kind === "retry" ? "due again" : "discarded";
  return `${study}: ${what}: ${series} series, ${runs} runs, ${deliveries} deliveries, ${jobs} jobs`;
}
