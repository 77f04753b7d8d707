/**
 * Connected components of a mask: runs of voxels along x, joined where they touch. Pure.
 *
 * A run is many voxels and one number; so a volume of 35 million voxels needs a few million steps, not 35.
 */
import type { Size } from "../scan.ts";

export interface Component {
  readonly voxels: number;
  /** Means of the indices. */
  readonly centre: readonly [x: number, y: number, z: number];
  /** Smallest and largest index along each axis. */
  readonly from: readonly [x: number, y: number, z: number];
  readonly to: readonly [x: number, y: number, z: number];
}

export interface Components {
  readonly list: readonly Component[];
  /** Writes a value at every voxel of the components for which `valueOf` gives one. */
  paint(into: Uint8Array, valueOf: (component: Component, index: number) => number | undefined): void;
}

/** How far a component reaches: through the volume, or only within each slice. */
type Reach = "volume" | "slice";

/**
 * Voxels that share a face belong together.
 *
 * @param mask  non-zero is inside
 */
export function componentsOf(mask: Uint8Array, size: Size, reach: Reach = "volume"): Components {
  const runs = runsOf(mask, size);
  const parent = new Int32Array(runs.count);
  for (let run = 0; run < runs.count; run++) parent[run] = run;
  const [, rows, slices] = size;
  for (let row = 0; row < rows * slices; row++) {
    if (row % rows > 0) join(runs, parent, row, row - 1);
    if (reach === "volume" && row >= rows) join(runs, parent, row, row - rows);
  }
  return collect(runs, parent, size);
}

interface Runs {
  readonly count: number;
  /** First voxel and the one after the last, as x in the row. */
  readonly start: Int32Array;
  readonly end: Int32Array;
  /** The runs of row r are first[r] to first[r + 1]. */
  readonly first: Int32Array;
}

function runsOf(mask: Uint8Array, [columns, rows, slices]: Size): Runs {
  let start = new Int32Array(1 << 16);
  let end = new Int32Array(1 << 16);
  const first = new Int32Array(rows * slices + 1);
  let count = 0;
  for (let row = 0; row < rows * slices; row++) {
    const base = row * columns;
    for (let x = 0; x < columns; x++) {
      if (mask[base + x] === 0) continue;
      if (count === start.length) {
        start = grown(start);
        end = grown(end);
      }
      start[count] = x;
      while (x < columns && mask[base + x] !== 0) x++;
      end[count++] = x;
    }
    first[row + 1] = count;
  }
  return { count, start, end, first };
}

function join({ start, end, first }: Runs, parent: Int32Array, row: number, other: number): void {
  let a = first[row]!;
  let b = first[other]!;
  const [lastA, lastB] = [first[row + 1]!, first[other + 1]!];
  while (a < lastA && b < lastB) {
    if (start[a]! < end[b]! && start[b]! < end[a]!) {
      const [rootA, rootB] = [rootOf(parent, a), rootOf(parent, b)];
      if (rootA < rootB) parent[rootB] = rootA;
      else parent[rootA] = rootB;
    }
    if (end[a]! < end[b]!) a++;
    else b++;
  }
}

function rootOf(parent: Int32Array, run: number): number {
  let root = run;
  while (parent[root] !== root) {
    parent[root] = parent[parent[root]!]!;
    root = parent[root]!;
  }
  return root;
}

function collect(runs: Runs, parent: Int32Array, [columns, rows, slices]: Size): Components {
  const { start, end, first } = runs;
  const indexOf = new Int32Array(runs.count).fill(-1);
  const list: Sum[] = [];
  for (let row = 0; row < rows * slices; row++) {
    const [y, z] = [row % rows, Math.floor(row / rows)];
    for (let run = first[row]!; run < first[row + 1]!; run++) {
      const root = rootOf(parent, run);
      if (indexOf[root] === -1) indexOf[root] = list.push(emptySum()) - 1;
      indexOf[run] = indexOf[root]!;
      add(list[indexOf[run]!]!, start[run]!, end[run]!, y, z);
    }
  }
  const components = list.map(finish);
  return {
    list: components,
    paint(into, valueOf) {
      const values = components.map(valueOf);
      for (let row = 0; row < rows * slices; row++) {
        for (let run = first[row]!; run < first[row + 1]!; run++) {
          const value = values[indexOf[run]!];
          if (value !== undefined) into.fill(value, row * columns + start[run]!, row * columns + end[run]!);
        }
      }
    },
  };
}

interface Sum {
  voxels: number;
  x: number;
  y: number;
  z: number;
  readonly from: [number, number, number];
  readonly to: [number, number, number];
}

function emptySum(): Sum {
  return { voxels: 0, x: 0, y: 0, z: 0, from: [1e9, 1e9, 1e9], to: [-1, -1, -1] };
}

function add(sum: Sum, start: number, end: number, y: number, z: number): void {
  const length = end - start;
  sum.voxels += length;
  sum.x += (length * (start + end - 1)) / 2;
  sum.y += length * y;
  sum.z += length * z;
  if (start < sum.from[0]) sum.from[0] = start;
  if (y < sum.from[1]) sum.from[1] = y;
  if (z < sum.from[2]) sum.from[2] = z;
  if (end - 1 > sum.to[0]) sum.to[0] = end - 1;
  if (y > sum.to[1]) sum.to[1] = y;
  if (z > sum.to[2]) sum.to[2] = z;
}

function finish({ voxels, x, y, z, from, to }: Sum): Component {
  return { voxels, centre: [x / voxels, y / voxels, z / voxels], from, to };
}

function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
