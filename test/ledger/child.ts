/**
 * A process that owns a ledger and says what it has made durable, until it is killed (crash.test.ts).
 *
 * Lines on standard output: "open", then the id of each instance once its write was committed.
 */

import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import type { FileId } from "../../src/ledger/records.ts";
import { recordInstance } from "../../src/ledger/series.ts";
import { instance, SERIES } from "./support.ts";

const [, , folder = "", round = "0"] = process.argv;
const { group, queue } = await openLedger(folder, { log: silentLog, clock: systemClock });
process.stdout.write("open\n");

async function association(first: number): Promise<never> {
  for (let number = first; ; number += 8) {
    const id = `${round}-${number}` as FileId;
    const sopInstanceUid = `1.2.3.${round}.${number}` as ReturnType<typeof instance>["sopInstanceUid"];
    await group.add(async (t) => {
      await recordInstance(t, instance(number, { id, sopInstanceUid, sha256: id }));
      await queue.enqueue(t, { queue: "close", key: SERIES, runAt: 0 });
    });
    process.stdout.write(`${id}\n`);
  }
}

await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(association));
