/**
 * How long an inference will take, learnt from those that were.
 *
 * In:   what is known; how long a model took for a volume of some size.
 * Out:  what is known now; an estimate in ms.
 * Pure.
 *
 * Time grows with the volume, but by what law differs from model to model: so a moving average is kept for each
 * doubling of the number of voxels, and the nearest one answers, in proportion. It starts anew with the node; until
 * the first answer the config's `expect` stands.
 */

/** By model, then by size class. */
export type Learnt = ReadonlyMap<string, ReadonlyMap<number, number>>;

/** What is assumed of a model of which nothing is known. */
const UNKNOWN_MS = 60_000;
/** Weight of the newest time: four of them count for more than all before. */
const NEWEST = 0.3;

export function learn(
  known: Learnt,
  { model, voxels }: { readonly model: string; readonly voxels: number },
  tookMs: number,
): Learnt {
  const classes = new Map(known.get(model));
  const size = sizeClass(voxels);
  const before = classes.get(size);
  classes.set(size, before === undefined ? tookMs : before + NEWEST * (tookMs - before));
  return new Map(known).set(model, classes);
}

/** @param prior  what the config expects, ms */
export function expectedMs(
  known: Learnt,
  { model, voxels }: { readonly model: string; readonly voxels: number },
  prior: number | undefined,
): number {
  const size = sizeClass(voxels);
  const [nearest] = [...(known.get(model) ?? [])].toSorted(
    ([a], [b]) => Math.abs(a - size) - Math.abs(b - size) || a - b,
  );
  if (!nearest) return prior ?? UNKNOWN_MS;
  const [found, ms] = nearest;
  return ms * 2 ** (size - found);
}

function sizeClass(voxels: number): number {
  return Math.round(Math.log2(Math.max(voxels, 1)));
}
