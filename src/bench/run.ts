/**
 * `isocenter bench`: how much longer than the models themselves it takes until all have answered.
 *
 * In:   how slow the models are, and which ways to compare.
 * Out:  figures on the screen, and a chart of who was asked when.
 *
 * The models are stand-ins in processes of their own with fixed times, so that all that is above the best schedule is
 * transport, coding and waiting. Each way is measured in a fresh process with the same volume of 210 MB.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Chart, svgOf } from "./chart.ts";
import { type Bounds, boundsOf, type Scenario, SIZE, scenarios } from "./scenario.ts";
import type { Measured, Way } from "./way.ts";

export interface BenchOptions {
  /** Times of the models, in multiples of 3, 2.5, 2 and 1.5 s. */
  readonly factor: number;
  /** Without the baselines, which take most of the time. */
  readonly onlyOurs: boolean;
  /** Where the chart goes. */
  readonly chart: string;
  readonly print: (line: string) => void;
}

const EXTENSION = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const TITLES: Readonly<Record<Way, string>> = {
  sequential: "one after another",
  naive: "all at once, each compressed",
  ours: "isocenter",
};

/** @returns the exit code */
export async function bench({ factor, onlyOurs, chart, print }: BenchOptions): Promise<number> {
  const { columns, rows, slices } = SIZE;
  print(`  ${columns} × ${rows} × ${slices} voxels of 16 bits; all processes are on this machine`);
  const charts: Chart[] = [];
  for (const scenario of scenarios(factor)) {
    const bounds = boundsOf(scenario);
    print("");
    print(`  ${scenario.name}: ${timesOf(scenario)}`);
    print(`  sum ${s(bounds.sumMs)}, lower bound ${s(bounds.lowerMs)}, optimum ${s(bounds.optimumMs)}`);
    const panels = [];
    for (const way of waysFor(scenario, onlyOurs)) {
      const measured = await measure(way, scenario);
      for (const line of reportOf(way, measured, bounds)) print(line);
      const { asked, makespanMs } = measured;
      panels.push({ title: TITLES[way], asked, makespanMs });
    }
    const { optimumMs } = bounds;
    charts.push({ title: scenario.name, models: scenario.models, optimumMs, panels });
  }
  await writeFile(chart, svgOf(charts));
  print("");
  print(`  chart: ${chart}`);
  return 0;
}

/** Scripts know no slots and no needs: they are compared where neither matters. */
function waysFor({ models, slots }: Scenario, onlyOurs: boolean): readonly Way[] {
  const isPlain = slots >= models.length && models.every(({ needs }) => needs === undefined);
  return isPlain && !onlyOurs ? ["sequential", "naive", "ours"] : ["ours"];
}

async function measure(way: Way, scenario: Scenario): Promise<Measured> {
  await using models = new AsyncDisposableStack();
  const ports: Record<string, number> = {};
  for (const { name } of scenario.models) {
    const model = spawn(process.execPath, [script("./model")], { stdio: ["pipe", "pipe", "inherit"] });
    models.defer(() => ended(model));
    ports[name] = (JSON.parse(await firstLine(model)) as { readonly port: number }).port;
  }
  const input = JSON.stringify({ way, scenario, ports });
  const asking = spawn(process.execPath, [script("./way"), input], { stdio: ["ignore", "pipe", "inherit"] });
  models.defer(() => ended(asking));
  return JSON.parse(await firstLine(asking)) as Measured;
}

/** @throws Error if the process ends without a word */
async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error("bug: a child without output");
  for await (const line of createInterface(child.stdout)) return line;
  throw new Error(`A process of the bench ended with code ${child.exitCode}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function reportOf(way: Way, measured: Measured, { sumMs, optimumMs }: Bounds): readonly string[] {
  const { asked, makespanMs, loopP99Ms, peakBytes, volumeBytes, bytesSent, cpuMs } = measured;
  const best = way === "sequential" ? sumMs : optimumMs;
  const over = makespanMs - best;
  const share = ((100 * over) / best).toFixed(1);
  const mean = asked.reduce((sum, { until }) => sum + until, 0) / asked.length;
  const each = asked.map(({ model, until }) => `${model} ${s(until)}`).join(", ");
  return [
    `    ${TITLES[way].padEnd(30)}${s(makespanMs).padStart(9)}   ${Math.round(over)} ms (${share} %) over ${s(best)}`,
    `      ${each}; mean ${s(mean)}`,
    `      memory ${mb(peakBytes)} at most, ${mb(peakBytes - volumeBytes)} beside the volume; sent ${mb(bytesSent)}; CPU ${s(cpuMs)}; event loop p99 ${loopP99Ms.toFixed(1)} ms`,
  ];
}

function timesOf({ models }: Scenario): string {
  return models
    .map(({ name, serviceMs, needs }) => `${name} ${s(serviceMs)}${needs ? ` after ${needs}` : ""}`)
    .join(", ");
}

function script(path: string): string {
  return fileURLToPath(new URL(path + EXTENSION, import.meta.url));
}

function s(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

function mb(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
