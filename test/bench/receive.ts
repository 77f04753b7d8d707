/**
 * How fast C-STOREs are received, beside others: the node durable and with `sync: off`, a plain Node writer that
 * checks nothing (with the same flushes, and without), DCMTK storescp with and without --fork. One sender for all
 * (raw-sender.ts), TCP_NODELAY everywhere, rounds in turn. Rates are medians; processor time and memory are the
 * server's. Others who use the machine make rates uncertain; processor time less.
 *
 *   npm run bench -- receive [ROUNDS] [LOAD]     with PROFILE=FOLDER the node leaves its CPU profiles there
 */
import { tempFolder } from "../support/temp.ts";
import { type Load, sendLoad } from "./raw-sender.ts";
import { type Receiver, startDcmtk, startIsocenter, startPlain } from "./receivers.ts";

const LOADS: readonly Load[] = [
  { name: "ct1", associations: 1, instances: 400, pixelBytes: 524_288 },
  { name: "ct4", associations: 4, instances: 100, pixelBytes: 524_288 },
  { name: "small", associations: 1, instances: 2_000, pixelBytes: 9_000 },
  { name: "large", associations: 1, instances: 1, pixelBytes: 500_000_000 },
];

/** What is promised: the first at least so many times as fast as the second. */
const RATIOS: readonly (readonly [load: string, ours: string, theirs: string, atLeast: number])[] = [
  ["ct1", "isocenter, durable", "plain writer, durable", 0.85],
  ["ct4", "isocenter, durable", "plain writer, durable", 0.85],
  ["small", "isocenter, durable", "plain writer, durable", 0.85],
  ["ct1", "isocenter, sync: off", "storescp", 0.85],
  ["ct4", "isocenter, sync: off", "storescp", 0.85],
  ["small", "isocenter, sync: off", "storescp", 0.75],
];

interface Run {
  readonly rate: number;
  readonly cpuMs: number;
  readonly peakMb: number;
  readonly grownMb: number;
}

export async function receive(): Promise<void> {
  const [rounds, only] = [Number(process.argv[3] ?? 5), process.argv[4]];
  await using folder = await tempFolder();
  await using parts = new AsyncDisposableStack();
  const starting = [
    startIsocenter(folder.path, "on"),
    startPlain(folder.path, "on"),
    startIsocenter(folder.path, "off"),
    startPlain(folder.path, "off"),
    startDcmtk(folder.path, []),
    startDcmtk(folder.path, ["--fork"]),
  ];
  const receivers = (await Promise.all(starting)).map((one) => parts.use(one));
  const medians = new Map<string, number>();
  for (const load of LOADS.filter(({ name }) => only === undefined || name === only)) {
    console.log(`${load.name}: ${load.associations} × ${load.instances} × ${load.pixelBytes} bytes`);
    const runs = new Map<Receiver, Run[]>(receivers.map((one) => [one, []]));
    for (const one of receivers) await measured(one, load); // all of them warm
    for (let round = 0; round < rounds; round += 1)
      for (const one of receivers) runs.get(one)?.push(await measured(one, load));
    for (const [one, all] of runs) {
      medians.set(`${load.name} ${one.name}`, median(all.map(({ rate }) => rate)));
      console.log(line(one.name, load, all));
    }
  }
  for (const [load, ours, theirs, atLeast] of RATIOS) {
    const [a, b] = [medians.get(`${load} ${ours}`), medians.get(`${load} ${theirs}`)];
    if (a !== undefined && b !== undefined)
      console.log(`${load}: ${ours} is ${(a / b).toFixed(2)} × ${theirs} (wanted: ${atLeast})`);
  }
}

async function measured(receiver: Receiver, load: Load): Promise<Run> {
  await receiver.peakRssMb();
  const [rssBefore, cpuBefore] = [await receiver.rssMb(), await receiver.cpuSeconds()];
  const seconds = await sendLoad(load, receiver.port);
  const instances = load.associations * load.instances;
  const cpuMs = (((await receiver.cpuSeconds()) - cpuBefore) * 1000) / instances;
  const peakMb = await receiver.peakRssMb();
  await receiver.clear();
  return { rate: instances / seconds, cpuMs, peakMb, grownMb: peakMb - rssBefore };
}

function line(name: string, { pixelBytes }: Load, runs: readonly Run[]): string {
  const rates = runs.map(({ rate }) => rate);
  const rate = median(rates);
  const range = `[${format(Math.min(...rates))}–${format(Math.max(...rates))}]`;
  const cpu = median(runs.map(({ cpuMs }) => cpuMs)).toFixed(2);
  const peak = Math.max(...runs.map(({ peakMb }) => peakMb)).toFixed(0);
  const grown = Math.max(...runs.map(({ grownMb }) => grownMb)).toFixed(0);
  return (
    `  ${name.padEnd(22)} ${format(rate).padStart(6)} instances/s ${range.padEnd(14)} ` +
    `${((rate * pixelBytes) / 1e6).toFixed(0).padStart(5)} MB/s  CPU ${cpu} ms each  peak RSS ${peak} MB (+${grown})`
  );
}

function format(rate: number): string {
  return rate >= 100 ? rate.toFixed(0) : rate.toFixed(2);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
