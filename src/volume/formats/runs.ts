/**
 * Masks that may overlap become layers, each of which holds one label per voxel.
 *
 * In:   masks as runs of voxels: from, to (exclusive), from, to, ….
 * Out:  as few layers as first fit finds, usually one; a label stands in one layer only.
 * Pure. A mask is held as its runs, a few bytes for each row it touches, not as a volume of its own.
 */
import type { Labels } from "../volume.ts";
import { emptyLayer } from "./labels.ts";

/** Ascending pairs, in an array that grows. */
export class Runs {
  #ends = new Int32Array(1024);
  #length = 0;

  /** Not before the end of the last run; a run that begins there is joined to it. */
  add(from: number, to: number): void {
    if (this.#length > 0 && this.#ends[this.#length - 1] === from) {
      this.#ends[this.#length - 1] = to;
      return;
    }
    if (this.#length === this.#ends.length) {
      const wider = new Int32Array(this.#ends.length * 2);
      wider.set(this.#ends);
      this.#ends = wider;
    }
    this.#ends[this.#length] = from;
    this.#ends[this.#length + 1] = to;
    this.#length += 2;
  }

  /** A view, until the next is added. */
  get pairs(): Int32Array {
    return this.#ends.subarray(0, this.#length);
  }
}

/** Layers under construction. */
export class Layers {
  readonly #voxels: number;
  readonly #largestLabel: number;
  readonly #layers: Labels[] = [];

  constructor(voxels: number, largestLabel: number) {
    this.#voxels = voxels;
    this.#largestLabel = largestLabel;
  }

  /** Into the first layer where nothing is in the way. */
  add(label: number, { pairs }: Runs): void {
    if (pairs.length === 0) return;
    let layer = this.#layers.find((each) => isFree(each, pairs));
    if (!layer) {
      layer = emptyLayer(this.#voxels, this.#largestLabel);
      this.#layers.push(layer);
    }
    for (let at = 0; at < pairs.length; at += 2) layer.fill(label, pairs[at], pairs[at + 1]);
  }

  /** One at least: that nothing was found is an answer. */
  get all(): readonly Labels[] {
    return this.#layers.length > 0 ? this.#layers : [emptyLayer(this.#voxels, this.#largestLabel)];
  }
}

function isFree(layer: Labels, pairs: Int32Array): boolean {
  for (let at = 0; at < pairs.length; at += 2) {
    const to = pairs[at + 1] as number;
    for (let voxel = pairs[at] as number; voxel < to; voxel += 1) if (layer[voxel] !== 0) return false;
  }
  return true;
}
