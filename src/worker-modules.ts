/**
 * What the threads of the pool will need, imported when the node starts: the first study does not wait for it.
 */
import "./delivery/implicit.ts";
import "./inference/decode.ts";
import "./inference/encode.ts";
import "./segmentation/read-back.ts";
import "./intake/verify.ts";
import "./segmentation/task.ts";
import "./volume/decode-frames.ts";
import "./volume/formats/gzip.ts";
import "./volume/order-slices.ts";
import "./volume/read-image.ts";
import { task, type WorkerPool } from "./base/worker-pool.ts";

const LOADED = task<() => void>(import.meta.url, "./worker-modules", "loaded");

/** Called in a thread: by then the imports above are done. */
export function loaded(): void {}

/** One task for each thread; they start side by side, so no thread gets two. */
export async function warm(pool: WorkerPool): Promise<void> {
  await Promise.all(Array.from({ length: pool.size }, () => pool.run(LOADED, undefined)));
}
