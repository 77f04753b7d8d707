/**
 * How fast results are sent to a storescp that ignores them, beside storescu (TCP_NODELAY=1), in alternating runs:
 * 400 CT slices of 525 KB and 2,000 of 9 KB, one association each.
 *
 * Ours is timed from the first association to the last release; of storescu's whole run the least time it takes for
 * one file, its start and its end, is taken off.
 */
import { execFile } from "node:child_process";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { run, startStorescp } from "../support/dcmtk.ts";
import { writeSeries } from "../support/phantom.ts";
import { tempFolder } from "../support/temp.ts";

const ROUNDS = 7;
const LOADS = [
  { slices: 400, columns: 512, rows: 512 },
  { slices: 2000, columns: 64, rows: 64 },
] as const;

export async function send(): Promise<void> {
  await using folder = await tempFolder();
  for (const load of LOADS) {
    const source = join(folder.path, String(load.slices));
    const [first] = await writeSeries(source, load);
    const one = join(folder.path, `${load.slices}-one`);
    await mkdir(one);
    await copyFile(first!.path, join(one, "one.dcm"));
    const seconds = { ours: [] as number[], theirs: [] as number[], start: [] as number[] };
    let peak = 0;
    for (let round = 0; round < ROUNDS; round++) {
      await using storescp = await startStorescp(["--ignore"]);
      const { ms, rssMb } = await ourRun(source, storescp.port);
      peak = Math.max(peak, rssMb);
      seconds.ours.push(ms / 1000);
      seconds.start.push(await theirSeconds(one, storescp.port));
      seconds.theirs.push(await theirSeconds(source, storescp.port));
    }
    const start = Math.min(...seconds.start);
    const rates = {
      ours: seconds.ours.map((each) => load.slices / each),
      theirs: seconds.theirs.map((each) => load.slices / (each - start)),
    };
    const [ours, theirs] = [median(rates.ours), median(rates.theirs)];
    const kilobytes = (load.columns * load.rows * 2) / 1000;
    console.log(
      `${load.slices} × ${kilobytes.toFixed(0)} KB, one association, to storescp --ignore, ${ROUNDS} rounds`,
    );
    console.log(`  node               ${line(rates.ours)}   peak RSS ${peak} MB`);
    console.log(`  storescu           ${line(rates.theirs)}`);
    console.log(`  ratio of medians   ${(ours / theirs).toFixed(2)}`);
  }
}

async function ourRun(
  source: string,
  port: number,
): Promise<{ readonly ms: number; readonly rssMb: number }> {
  const script = join(import.meta.dirname, "send-process.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [script, source, String(port)]);
  return JSON.parse(stdout) as { ms: number; rssMb: number };
}

async function theirSeconds(source: string, port: number): Promise<number> {
  const begin = performance.now();
  const { code, output } = await run("storescu", ["127.0.0.1", String(port), "+sd", source]);
  if (code !== 0) throw new Error(`storescu: ${output}`);
  return (performance.now() - begin) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function line(rates: readonly number[]): string {
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  return `${median(rates).toFixed(0).padStart(5)} instances/s [${least.toFixed(0)}–${most.toFixed(0)}]`;
}
