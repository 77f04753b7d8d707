/**
 * One way of asking the models, measured in a process of its own, so that memory and event loop are its own too.
 *
 *   node src/bench/way.ts '{"way":"ours","scenario":…,"ports":{…}}'
 *
 * sequential: a script that asks one model after the other. naive: all at once, each request compressed for itself,
 * as such scripts do it. ours: the node's inference. Prints one line of JSON, a Measured.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import { WorkerPool } from "../base/worker-pool.ts";
import { Chain } from "../inference/chain.ts";
import { createInference, type InferenceSettings } from "../inference/dispatch.ts";
import { niftiHeader } from "../volume/formats/nifti-write.ts";
import type { Volume } from "../volume/volume.ts";
import { warm } from "../worker-modules.ts";
import { type BenchModel, type Scenario, SIZE } from "./scenario.ts";

export type Way = "sequential" | "naive" | "ours";

export interface Asked {
  readonly model: string;
  /** ms since the beginning. */
  readonly from: number;
  readonly until: number;
}

export interface Measured {
  readonly asked: readonly Asked[];
  readonly makespanMs: number;
  /** 99 of 100 times the event loop was kept from its work no longer than this. */
  readonly loopP99Ms: number;
  /** Most that the process had in memory, the volume included. */
  readonly peakBytes: number;
  readonly volumeBytes: number;
  readonly bytesSent: number;
  /** Of all threads, without the making of the volume. */
  readonly cpuMs: number;
}

interface Input {
  readonly way: Way;
  readonly scenario: Scenario;
  readonly ports: Readonly<Record<string, number>>;
}

const LOOP_RESOLUTION_MS = 5;
const MEMORY_EVERY_MS = 20;

const input = JSON.parse(process.argv[2] ?? "{}") as Input;
process.stdout.write(`${JSON.stringify(await measure(input))}\n`);

async function measure({ way, scenario, ports }: Input): Promise<Measured> {
  const volume = syntheticVolume();
  await using pool = new WorkerPool(2);
  await warm(pool);
  await using inference = createInference(settingsOf(scenario, ports), {
    log: silentLog,
    clock: systemClock,
    pool,
  });
  const models = settingsOf(scenario, ports).models;
  let bytesSent = 0;
  const ask: Record<Way, () => Promise<readonly Asked[]>> = {
    sequential: async () => {
      const asked: Asked[] = [];
      for (const model of scenario.models) asked.push(await timed(model, () => plainly(model, false)));
      return asked;
    },
    naive: () => Promise.all(scenario.models.map((model) => timed(model, () => plainly(model, true)))),
    ours: async () => {
      using prepared = inference.prepare(volume);
      const chain = new Chain(prepared, { models, inference, pool });
      const done = new Map<string, PromiseWithResolvers<void>>();
      for (const { name } of scenario.models) done.set(name, Promise.withResolvers());
      const options = { signal: new AbortController().signal, priority: 0, missing: new Set<string>() };
      const asked = scenario.models.map(async (model) => {
        if (model.needs !== undefined) await done.get(model.needs)?.promise;
        return timed(model, async () => {
          const { timings } = await chain.infer(model.name, options);
          done.get(model.name)?.resolve();
          bytesSent += timings.bytesSent;
        });
      });
      return Promise.all(asked);
    },
  };

  async function plainly({ name, serviceMs }: BenchModel, compress: boolean): Promise<void> {
    const { voxels, grid } = volume;
    const bytes = new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength);
    const file = Buffer.concat([niftiHeader(grid, voxels), bytes]);
    const body = compress ? await promisify(gzip)(file) : file;
    const url = `http://127.0.0.1:${ports[name]}/?ms=${serviceMs}`;
    const response = await fetch(url, { method: "POST", body: new Uint8Array(body) });
    bytesSent += body.length;
    await promisify(gunzip)(Buffer.from(await response.arrayBuffer()));
  }

  const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  let peakBytes = process.memoryUsage.rss();
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
  }, MEMORY_EVERY_MS);
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  loop.enable();

  async function timed({ name }: BenchModel, work: () => Promise<void>): Promise<Asked> {
    const from = performance.now() - begun;
    await work();
    return { model: name, from, until: performance.now() - begun };
  }

  const asked = await ask[way]();
  const makespanMs = performance.now() - begun;
  loop.disable();
  clearInterval(timer);
  const cpu = process.cpuUsage(cpuBefore);
  const cpuMs = (cpu.user + cpu.system) / 1000;
  const loopP99Ms = Math.max(0, loop.percentile(99) / 1e6 - LOOP_RESOLUTION_MS);
  const volumeBytes = volume.voxels.byteLength;
  return { asked, makespanMs, loopP99Ms, peakBytes, volumeBytes, bytesSent, cpuMs };
}

/** Noise like a scanner's, so that it compresses as badly as a real study. */
function syntheticVolume(): Volume {
  const { columns, rows, slices } = SIZE;
  const voxels = new Int16Array(new SharedArrayBuffer(columns * rows * slices * 2));
  let random = 1;
  for (let n = 0; n < voxels.length; n++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
    voxels[n] = (random >>> 23) - 1000 + ((n >> 16) & 0xff);
  }
  const affine = {
    origin: [-51.2, -51.2, 0],
    perColumn: [0.2, 0, 0],
    perRow: [0, 0.2, 0],
    perSlice: [0, 0, 0.2],
  } as const;
  return { grid: { size: [columns, rows, slices], affine }, voxels };
}

function settingsOf({ models, slots }: Scenario, ports: Input["ports"]): InferenceSettings {
  const entries = models.map(({ name, serviceMs, needs }) => {
    const crop = { labels: [1], marginMm: 2 };
    const model = {
      name,
      version: "1",
      url: `http://127.0.0.1:${ports[name]}/?ms=${serviceMs}`,
      slots: { gpu: 1 },
      replicas: [],
      expectMs: serviceMs,
      needs: needs === undefined ? {} : { [needs]: { crop, otherwise: "skip" as const } },
      cache: false,
      headers: {},
      params: {},
      deadlineMs: 600_000,
      lingerMs: 0,
      attempts: 1,
      request: {
        format: "nifti",
        compression: "none",
        level: 1,
        layout: "ZYX",
        orientation: "native",
        body: { kind: "raw" },
      },
      transport: { kind: "sync" },
      statuses: { ok: [], busy: [] },
      response: { as: "labelmap", unwrap: [], echoes: {}, maxBytes: 2 ** 30 },
      limits: { ratio: 1100, retryAfterMs: 60_000 },
      origins: [],
      urlMap: {},
      segments: new Map([[1, { label: "Found" }]]),
    } as const;
    return [name, model] as const;
  });
  return { secrets: {}, models: new Map(entries), slots: { gpu: { places: slots, stat: 0 } } };
}
