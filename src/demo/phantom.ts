/**
 * A synthetic dental cone-beam CT: the lower face of somebody who never lived, the same at every run.
 *
 * In:   the shape of the volume.
 * Out:  Hounsfield units, and what each voxel truly is; both in shared memory, slice k at the height (k + ½) × spacing.
 * Pure, but for the threads it is painted in; how many there are changes nothing.
 *
 * It stands for a patient where none may be shown: no open dental CBCT was found that could be shipped.
 */
import { availableParallelism } from "node:os";
import { task, WorkerPool } from "../base/worker-pool.ts";
import { paintSlice, planFor, type Shape } from "./phantom/slice.ts";

export type { Shape } from "./phantom/slice.ts";

/** As a dental device with a field of view of 16 cm × 8.8 cm would make it. */
export const DENTAL_CBCT: Shape = { columns: 400, rows: 400, slices: 220, spacing: 0.4 };

export interface Phantom {
  readonly shape: Shape;
  /** Hounsfield units; x (to the patient's left) fastest, then y (backwards), then z (upwards). */
  readonly voxels: Int16Array<SharedArrayBuffer>;
  /** See phantom/tissue.ts. */
  readonly tissue: Uint8Array<SharedArrayBuffer>;
}

export async function makePhantom(shape: Shape): Promise<Phantom> {
  const count = shape.columns * shape.rows * shape.slices;
  const phantom: Phantom = {
    shape,
    voxels: new Int16Array(new SharedArrayBuffer(count * 2)),
    tissue: new Uint8Array(new SharedArrayBuffer(count)),
  };
  const threads = Math.min(availableParallelism(), 8);
  await using pool = new WorkerPool(threads);
  const slab = task<typeof paintSlab>(import.meta.url, "./phantom", "paintSlab");
  await Promise.all(
    Array.from({ length: threads }, (_, first) => pool.run(slab, { phantom, first, step: threads })),
  );
  return phantom;
}

/** Every `step`-th slice from `first`: interleaved, because slices with teeth take longer. Runs in a thread. */
export function paintSlab(part: {
  readonly phantom: Phantom;
  readonly first: number;
  readonly step: number;
}): void {
  const { shape, voxels, tissue } = part.phantom;
  const area = shape.columns * shape.rows;
  const plan = planFor(shape);
  const slice = { hu: new Float32Array(area), tissue: new Uint8Array(area) };
  for (let index = part.first; index < shape.slices; index += part.step) {
    paintSlice(plan, index, slice);
    voxels.set(slice.hu, index * area);
    tissue.set(slice.tissue, index * area);
  }
}
