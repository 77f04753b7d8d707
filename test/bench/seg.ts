/**
 * What writing a segmentation costs: time, memory, size, of every form, beside the derivation of dcmjs.
 *
 * Each encoding runs in a process of its own, so that no peak hides another. Ours is the median of several rounds
 * in a warm process, reading one source header included, the files synced: BINARY is always made, and the native
 * file beside an RLE one, so those times are of two and three files, the size of the one asked for. dcmjs runs once, and reads all source
 * files, since it cannot do without their pixels.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { SHAPES } from "./seg-shapes.ts";

interface Measured {
  readonly elapsed: readonly number[];
  readonly cpu: readonly number[];
  readonly bytes: number;
  readonly frames: number;
  readonly aboveIdleMb: number;
}

const WAYS: readonly (readonly [string, ...string[]])[] = [
  ["ours, BINARY", "ours", "binary", "none"],
  ["ours, LABELMAP too", "ours", "labelmap", "none"],
  ["ours, LABELMAP RLE too", "ours", "labelmap", "rle"],
  ["dcmjs derivation, BINARY", "dcmjs"],
];

export async function seg(): Promise<void> {
  for (const [name, { what }] of Object.entries(SHAPES)) {
    console.log(`${name}: ${what}`);
    for (const [way, ...args] of WAYS)
      console.log(`  ${way.padEnd(26)}${line(await measure(name, ...args))}`);
  }
}

async function measure(...args: readonly string[]): Promise<Measured> {
  const script = new URL("./seg-one.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args]);
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Measured;
}

function line({ elapsed, cpu, bytes, frames, aboveIdleMb }: Measured): string {
  return (
    `${seconds(elapsed)}, CPU ${seconds(cpu)}, ${Math.round(aboveIdleMb)} MB above idle, ` +
    `${(bytes / 1e6).toFixed(2)} MB, ${frames} frames`
  );
}

/** The median, and from least to most. */
function seconds(ms: readonly number[]): string {
  const [least, middle, most] = [0, 0.5, 1].map((at) => {
    const sorted = ms.toSorted((a, b) => a - b);
    return ((sorted[Math.round(at * (sorted.length - 1))] ?? Number.NaN) / 1000).toFixed(2);
  });
  return ms.length > 1 ? `${middle} s [${least}–${most}]` : `${middle} s`;
}
