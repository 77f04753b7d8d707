/**
 * A process with an intake, for what can only be seen from outside: its system calls, its being killed, a full disk.
 *
 *   child.ts FOLDER ASSOCIATIONS INSTANCES BYTES [ROUND]
 *
 * Each association sends its instances one after the other; a line on standard output for each: number and status.
 */
import { writeSync } from "node:fs";
import { systemClock } from "../../src/base/clock.ts";
import { ctImage, explicit } from "../support/bytes.ts";
import { store, testIntake } from "./support.ts";

const [, , folder = "", associations = "1", instances = "1", bytes = "500000", round = "1"] = process.argv;
await using here = await testIntake(folder, { clock: systemClock });
const pixels = explicit("7fe00010", "OW", new Uint8Array(Number(bytes)));

/** Written at once, by one write(): the trace shows it where it happened. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

say("ready");
await Promise.all(
  Array.from({ length: Number(associations) }, async (_, association) => {
    for (let at = 0; at < Number(instances); at++) {
      const sopInstanceUid = `1.2.3.${round}.${association + 1}.${at + 1}`;
      const uid = explicit("00080018", "UI", sopInstanceUid + (sopInstanceUid.length % 2 ? "\0" : ""));
      const dataSet = ctImage({ "00080018": uid, "7fe00010": pixels });
      const status = await store(here.intake, { dataSet, sopInstanceUid, association });
      say(`answered ${sopInstanceUid} ${status.toString(16)}`);
    }
  }),
);
