/**
 * What all models of one series share: the volume and its encoded forms, each made once.
 *
 * In:   a volume in shared memory.
 * Out:  a Body for each request shape; raw voxels are never copied, gzip is made in a worker, once per level.
 *
 * A form that could not be made is forgotten, so that the next request tries again. Disposing forgets all of
 * them, and ends what is still being made.
 */
import { task, type WorkerPool } from "../base/worker-pool.ts";
import type { gzipParts } from "../volume/formats/gzip.ts";
import { niftiHeader } from "../volume/formats/nifti-write.ts";
import type { Volume } from "../volume/volume.ts";
import { kserveBody } from "./kserve.ts";
import type { RequestShape } from "./model.ts";
import { type Body, niftiBody } from "./request.ts";

export interface PreparedVolume extends Disposable {
  readonly volume: Volume;
  /** @throws MODEL_INPUT_UNSUITABLE; WORKER_DIED */
  body(request: RequestShape): Promise<Body>;
}

const GZIP = task<typeof gzipParts>(import.meta.url, "../volume/formats/gzip", "gzipParts");

export function prepareVolume(volume: Volume, pool: WorkerPool): PreparedVolume {
  const { voxels, grid } = volume;
  const parts = [
    niftiHeader(grid, voxels),
    new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength),
  ];
  const byLevel = new Map<number, Promise<Uint8Array>>();
  const released = new AbortController();

  function compressed(level: number): Promise<Uint8Array> {
    const known = byLevel.get(level);
    if (known) return known;
    const made = pool.run(GZIP, { parts, level }, { signal: released.signal });
    byLevel.set(level, made);
    made.catch(() => byLevel.delete(level));
    return made;
  }

  return {
    volume,
    async body(request) {
      if (request.format === "kserve") return kserveBody(volume, request);
      return niftiBody(request.compression === "gzip" ? [await compressed(request.level)] : parts, request);
    },
    [Symbol.dispose]() {
      byLevel.clear();
      released.abort(new Error("The volume was released"));
    },
  };
}
