/** A hospital's busiest hour at one node: what reliability costs while eight scanners send and a model works. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type Reply, startModelDouble } from "../support/model-double.ts";
import { startPacs } from "../support/pacs.ts";
import { ONE_SEGMENT, RAW_NIFTI } from "../support/rig.ts";
import { tempFolder } from "../support/temp.ts";
import { drained, echoes, percentile, startLoaded } from "./bench.ts";
import { type Answered, sendStudies } from "./senders.ts";

const SENDERS = 8;
const BYTES_PER_SECOND = 22_000_000;
const DRAIN_WITHIN_MS = 60_000;
const HEADER_BYTES = 352;

/** @returns whether every image was taken and nothing was left to do */
export async function steady(minutes: number): Promise<boolean> {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "pacs"));
  await using pacs = await startPacs(join(folder.path, "pacs"));
  await using model = await startModelDouble(({ body }) => box(body), { keepBodies: true });
  await using node = await startLoaded(folder.path, {
    pacsPort: pacs.port,
    models: { box: { url: model.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` } },
  });
  const answers: Answered[] = [];
  const stop = AbortSignal.timeout(minutes * 60_000);
  const echoing = echoes(node.process.port, stop);
  const failures: unknown[] = [];
  const studies = await Promise.all(
    Array.from({ length: SENDERS }, (_, at) =>
      sendStudies({
        port: node.process.port,
        name: `steady ${at}`,
        studies: mix(),
        bytesPerSecond: BYTES_PER_SECOND / SENDERS,
        signal: stop,
        onAnswer: (answered) => void answers.push(answered),
      }).catch((error: unknown) => {
        failures.push(error);
        return 0;
      }),
    ),
  );
  const left = await drained(node.dataFolder, DRAIN_WITHIN_MS);
  const echoed = await echoing;
  const bad = answers.filter(({ status }) => status !== 0).length;
  const times = answers.map(({ ms }) => ms);
  const megabytes = answers.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  console.log(`${SENDERS} senders, ${BYTES_PER_SECOND / 1e6} MB/s offered, ${minutes} minutes`);
  console.log(
    `  studies ${studies.reduce((a, b) => a + b, 0)}, images ${answers.length}, ${Math.round(megabytes)} MB taken, ${(megabytes / minutes / 60).toFixed(1)} MB/s`,
  );
  console.log(`  not Success ${bad}, associations that failed ${failures.length}`);
  console.log(
    `  C-STORE answered in ms: median ${percentile(times, 0.5)}, p99 ${percentile(times, 0.99)}, most ${percentile(times, 1)}`,
  );
  console.log(
    `  C-ECHO in ms: median ${percentile(echoed, 0.5)}, p99 ${percentile(echoed, 0.99)}, most ${percentile(echoed, 1)}`,
  );
  console.log(
    `  peak RSS ${await node.process.peakRssMb()} MB; drained after ${left} s; ${pacs.stored.length} results in the PACS`,
  );
  for (const failure of failures) console.log(failure);
  return bad === 0 && failures.length === 0 && left !== "not";
}

/** CT of 60 images of half a megabyte, and every fourth study a pair of radiographs of 18 MB. */
function* mix(): Generator<{ images: number; columns: number; rows: number }> {
  for (let number = 0; ; number++) {
    yield number % 4 === 3
      ? { images: 2, columns: 3000, rows: 3000 }
      : { images: 60, columns: 512, rows: 512 };
  }
}

/** A few voxels of label 1, in no time: the load is on the node. */
function box(nifti: Uint8Array): Reply {
  const width = Buffer.from(nifti.buffer, nifti.byteOffset, nifti.length).readInt16LE(72) / 8;
  const body = new Uint8Array(HEADER_BYTES + (nifti.length - HEADER_BYTES) / width);
  body.set(nifti.subarray(0, HEADER_BYTES));
  const header = Buffer.from(body.buffer);
  header.writeInt16LE(2, 70);
  header.writeInt16LE(8, 72);
  body.fill(1, HEADER_BYTES + 1000, HEADER_BYTES + 1200);
  return { kind: "answer", body, afterMs: 200 };
}
