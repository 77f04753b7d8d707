/**
 * The sending side of the node in a process of its own: `node send-process.ts FOLDER PORT`. Sends every file of the
 * folder as delivery does, twice, since a node in use is warm; prints milliseconds of the second time, instances and
 * peak RSS as JSON.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { associate } from "../../src/association/scu.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import { createCourier } from "../../src/delivery/deliver.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { stringOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10Header } from "../../src/dicom/part10.ts";
import type { InstanceUid, SopClassUid } from "../../src/dicom/uid.ts";

const [folder = "", port = ""] = process.argv.slice(2);
const destination = {
  name: "bench",
  aeTitle: parseAeTitle("STORESCP")!,
  callingAeTitle: parseAeTitle("ISOCENTER")!,
  host: "127.0.0.1",
  port: Number(port),
  segmentation: { as: "binary", compression: "none" },
  storageCommitment: false,
  retryForMs: 60_000,
  connectTimeoutMs: 10_000,
  answerTimeoutMs: 10_000,
} as const;

const parcels = await Promise.all(
  (await readdir(folder)).map(async (name) => {
    const path = join(folder, name);
    const { meta, transferSyntaxUid } = await readPart10Header(path);
    return {
      sopClassUid: stringOf(meta, tagOf("MediaStorageSOPClassUID")) as SopClassUid,
      sopInstanceUid: stringOf(meta, tagOf("MediaStorageSOPInstanceUID")) as InstanceUid,
      files: [{ path, transferSyntaxUid }],
    };
  }),
);
await using pool = new WorkerPool(1);
const { signal } = new AbortController();
let ms = 0;
for (let round = 0; round < 2; round++) {
  const begin = performance.now();
  await using courier = createCourier(
    (to, context, options) => associate(to, { ...to, contexts: [context], ...options }),
    { log: silentLog, clock: systemClock, pool },
  );
  const left = parcels.values();
  const worker = async (): Promise<void> => {
    for (const parcel of left) {
      const { status } = await courier.send(destination, parcel, { signal });
      if (status !== 0) throw new Error(`status ${status}`);
    }
  };
  await Promise.all([worker(), worker()]); // as the node does, two at a time
  await courier[Symbol.asyncDispose]();
  ms = performance.now() - begin;
}
const rssMb = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(`${JSON.stringify({ ms, instances: parcels.length, rssMb })}\n`);
