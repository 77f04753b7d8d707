/**
 * How fast 400 CT slices of 525 KB are received on one association, beside storescp, in alternating runs with the
 * same sender (storescu, TCP_NODELAY=1). The node answers Success when file, folder and ledger are synced; storescp
 * syncs nothing.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, startStorescp } from "../support/dcmtk.ts";
import { writeSeries } from "../support/phantom.ts";
import { configText } from "../support/rig.ts";
import { tempFolder } from "../support/temp.ts";
import { startNodeProcess } from "./node-process.ts";

const SLICES = 400;
const ROUNDS = 5;

export async function receive(): Promise<void> {
  await using folder = await tempFolder();
  const source = join(folder.path, "source");
  await writeSeries(source, { slices: SLICES, columns: 512, rows: 512 });
  const megabytes = (SLICES * 512 * 512 * 2) / 1e6;
  const rates = { node: [] as number[], storescp: [] as number[] };
  let peak = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const ours = join(folder.path, `node-${round}`);
    await mkdir(ours);
    await writeFile(join(ours, "node.yaml"), configText(ours, { pacsPort: 1, models: {} }));
    await using node = await startNodeProcess(join(ours, "node.yaml"));
    rates.node.push(megabytes / (await secondsToSend(source, node.port)));
    peak = Math.max(peak, await node.peakRssMb());

    const theirs = join(folder.path, `storescp-${round}`);
    await mkdir(theirs);
    await using storescp = await startStorescp(["+B", "-od", theirs]);
    rates.storescp.push(megabytes / (await secondsToSend(source, storescp.port)));
  }
  const [node, storescp] = [median(rates.node), median(rates.storescp)];
  console.log(
    `${SLICES} × 512 × 512 CT, one association, storescu with TCP_NODELAY=1, ${ROUNDS} alternating rounds`,
  );
  console.log(`  node, durable      ${line(rates.node)}   peak RSS ${peak} MB`);
  console.log(`  storescp +B        ${line(rates.storescp)}`);
  console.log(`  ratio of medians   ${(node / storescp).toFixed(2)}`);
}

async function secondsToSend(folder: string, port: number): Promise<number> {
  const begin = performance.now();
  const { code, output } = await run("storescu", [
    "-aec",
    "ISOCENTER",
    "127.0.0.1",
    String(port),
    "+sd",
    folder,
  ]);
  if (code !== 0) throw new Error(`storescu: ${output}`);
  return (performance.now() - begin) / 1000;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function line(rates: readonly number[]): string {
  const [least, most] = [Math.min(...rates), Math.max(...rates)];
  return `${median(rates).toFixed(0).padStart(5)} MB/s [${least.toFixed(0)}–${most.toFixed(0)}]`;
}
