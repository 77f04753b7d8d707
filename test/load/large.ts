/** One study that is far larger than the memory the node may take. */
import { tempFolder } from "../support/temp.ts";
import { drained, echoes, percentile, startLoaded } from "./bench.ts";
import { sendStudies } from "./senders.ts";

const STUDY = { images: 5_000, columns: 512, rows: 512 };

/** @returns whether it was taken as a whole, and judged complete once */
export async function large(): Promise<boolean> {
  await using folder = await tempFolder();
  await using node = await startLoaded(folder.path, { pacsPort: 1, models: {} });
  const complete = node.process.next("series.complete");
  const stop = new AbortController();
  const echoing = echoes(node.process.port, stop.signal);
  let bad = 0;
  const began = performance.now();
  await sendStudies({
    port: node.process.port,
    name: "large",
    studies: [STUDY],
    onAnswer: ({ status }) => void (bad += status === 0 ? 0 : 1),
  });
  const seconds = (performance.now() - began) / 1000;
  const { instances, reason } = await complete;
  const left = await drained(node.dataFolder, 60_000);
  stop.abort();
  const echoed = await echoing;
  console.log(`one study of ${STUDY.images} images of 0.5 MB`);
  console.log(
    `  sent in ${seconds.toFixed(0)} s, not Success ${bad}; complete with ${String(instances)} images: ${String(reason)}`,
  );
  console.log(
    `  peak RSS ${await node.process.peakRssMb()} MB; C-ECHO in ms: median ${percentile(echoed, 0.5)}, p99 ${percentile(echoed, 0.99)}; drained after ${left} s`,
  );
  return bad === 0 && instances === STUDY.images && left !== "not";
}
