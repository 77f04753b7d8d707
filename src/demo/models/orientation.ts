/**
 * Turns an image so that its axes point left, backwards and upwards, and a label map back the other way. Pure.
 *
 * Only whole turns and mirrorings: nothing is resampled. An oblique image is taken by its nearest axes.
 */
import type { Image, Placement, Scan, Size, Values, Vector } from "./scan.ts";

type Axis = 0 | 1 | 2;

/** For each of x, y, z: which index of the image runs along it, and whether backwards. */
interface Turn {
  readonly axes: readonly [Axis, Axis, Axis];
  readonly flipped: readonly [boolean, boolean, boolean];
}

export interface Upright {
  readonly scan: Scan;
  /** Labels on the scan, put in the order of the image's voxels. */
  readonly back: (labels: Uint8Array) => Uint8Array<ArrayBuffer>;
}

export function upright(image: Image): Upright {
  const turn = turnOf(image.placement);
  const { axes } = turn;
  const length = (axis: Axis): number => Math.hypot(...image.placement.steps[axis]);
  const spacing: Vector = [length(axes[0]), length(axes[1]), length(axes[2])];
  const size: Size = [image.size[axes[0]], image.size[axes[1]], image.size[axes[2]]];
  const values = plain(image.values);
  const upAlready = axes.every((axis, at) => axis === at) && !turn.flipped.includes(true);
  if (upAlready) return { scan: { size, spacing, values }, back: (labels) => new Uint8Array(labels) };
  const walk = walkOf(image.size, turn);
  const turned =
    values instanceof Int16Array ? new Int16Array(values.length) : new Float32Array(values.length);
  let to = 0;
  walk((from) => {
    turned[to++] = values[from]!;
  });
  return {
    scan: { size, spacing, values: turned },
    back(labels) {
      const original = new Uint8Array(labels.length);
      let at = 0;
      walk((from) => {
        original[from] = labels[at++]!;
      });
      return original;
    },
  };
}

/** Gives each patient axis the index that runs most along it, the clearest first. */
function turnOf({ steps }: Placement): Turn {
  const axes: Axis[] = [0, 1, 2];
  const flipped = [false, false, false];
  const free = new Set<Axis>([0, 1, 2]);
  const order = ([0, 1, 2] as const).toSorted((a, b) => clearest(steps[b]) - clearest(steps[a]));
  for (const index of order) {
    const unit = steps[index].map((part) => part / Math.hypot(...steps[index]));
    const patient = [...free].sort((a, b) => Math.abs(unit[b]!) - Math.abs(unit[a]!))[0]!;
    free.delete(patient);
    axes[patient] = index;
    flipped[patient] = unit[patient]! < 0;
  }
  return { axes: axes as unknown as Turn["axes"], flipped: flipped as unknown as Turn["flipped"] };
}

function clearest(step: Vector): number {
  return Math.max(...step.map(Math.abs)) / Math.hypot(...step);
}

/** Visits the image's voxels in the order of the scan. */
function walkOf(size: Size, { axes, flipped }: Turn): (visit: (from: number) => void) => void {
  const strides = [1, size[0], size[0] * size[1]] as const;
  const [x, y, z] = axes.map((axis, at) => {
    const stride = strides[axis];
    const count = size[axis];
    return flipped[at]
      ? { start: (count - 1) * stride, step: -stride, count }
      : { start: 0, step: stride, count };
  }) as unknown as Readonly<Record<0 | 1 | 2, { start: number; step: number; count: number }>> &
    Iterable<{ start: number; step: number; count: number }>;
  return (visit) => {
    for (let k = 0; k < z.count; k++) {
      for (let j = 0; j < y.count; j++) {
        let from = x.start + y.start + j * y.step + z.start + k * z.step;
        for (let i = 0; i < x.count; i++, from += x.step) visit(from);
      }
    }
  };
}

function plain(values: Values): Int16Array | Float32Array {
  return values instanceof Int16Array || values instanceof Float32Array ? values : new Float32Array(values);
}
