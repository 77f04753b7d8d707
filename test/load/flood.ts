/** Four senders as fast as they can, beside the same senders to storescp --fork on the same disk. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startStorescp } from "../support/dcmtk.ts";
import { tempFolder } from "../support/temp.ts";
import { drained, echoes, percentile, startLoaded } from "./bench.ts";
import { sendStudies } from "./senders.ts";

const SENDERS = 4;
const STUDIES_EACH = 4;
const STUDY = { images: 500, columns: 512, rows: 512 };

/** @returns whether every image was taken */
export async function flood(): Promise<boolean> {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "theirs"));
  let theirs: Rate;
  {
    await using storescp = await startStorescp(["+B", "--fork", "-od", join(folder.path, "theirs")]);
    theirs = await rateOf(storescp.port, "theirs");
  }
  await using node = await startLoaded(folder.path, { pacsPort: 1, models: {} });
  const stop = new AbortController();
  const echoing = echoes(node.process.port, stop.signal);
  const ours = await rateOf(node.process.port, "ours");
  stop.abort();
  const echoed = await echoing;
  const left = await drained(node.dataFolder, 120_000);
  console.log(`${SENDERS} senders flat out, ${Math.round(ours.megabytes)} MB each time`);
  console.log(
    `  node, durable    ${ours.perSecond.toFixed(0)} MB/s, not Success ${ours.bad}, peak RSS ${await node.process.peakRssMb()} MB`,
  );
  console.log(`  storescp --fork  ${theirs.perSecond.toFixed(0)} MB/s`);
  console.log(
    `  ratio ${(ours.perSecond / theirs.perSecond).toFixed(2)}; C-ECHO in ms: median ${percentile(echoed, 0.5)}, p99 ${percentile(echoed, 0.99)}; drained after ${left} s`,
  );
  return ours.bad === 0 && left !== "not";
}

interface Rate {
  readonly megabytes: number;
  readonly perSecond: number;
  readonly bad: number;
}

async function rateOf(port: number, name: string): Promise<Rate> {
  let [bytes, bad] = [0, 0];
  const began = performance.now();
  await Promise.all(
    Array.from({ length: SENDERS }, (_, at) =>
      sendStudies({
        port,
        name: `${name} ${at}`,
        studies: Array.from({ length: STUDIES_EACH }, () => STUDY),
        onAnswer: (answered) => {
          bytes += answered.bytes;
          if (answered.status !== 0) bad++;
        },
      }),
    ),
  );
  return { megabytes: bytes / 1e6, perSecond: bytes / 1000 / (performance.now() - began), bad };
}
