/**
 * Slices of one array put in another order, in place. A task of the worker pool.
 *
 * In:   an array of slices; for each place which of them belongs there.
 * Out:  nothing: the array is changed.
 * Pure, but for that.
 *
 * Every slice is moved once, along the cycles of the permutation; one slice is held aside at a time.
 */
export interface SliceOrder {
  readonly words: SharedArrayBuffer;
  readonly sliceBytes: number;
  /** A permutation of 0 … n - 1: at k shall be what is at from[k] now. */
  readonly from: readonly number[];
}

export function orderSlices({ words, sliceBytes, from }: SliceOrder): void {
  const bytes = new Uint8Array(words);
  const aside = new Uint8Array(sliceBytes);
  const isDone = new Uint8Array(from.length);
  for (let start = 0; start < from.length; start++) {
    if (isDone[start] || from[start] === start) continue;
    aside.set(bytes.subarray(start * sliceBytes, (start + 1) * sliceBytes));
    let to = start;
    for (let source = from[to]!; source !== start; source = from[to]!) {
      bytes.copyWithin(to * sliceBytes, source * sliceBytes, (source + 1) * sliceBytes);
      isDone[to] = 1;
      to = source;
    }
    bytes.set(aside, to * sliceBytes);
    isDone[to] = 1;
  }
}
