/** A small volume, a model of it, and the answer such a model gives. */
import { afterAll } from "vitest";
import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import { type Log, type LogFields, silentLog } from "../../src/base/log.ts";
import { WorkerPool } from "../../src/base/worker-pool.ts";
import type { LabelledModel } from "../../src/inference/ask.ts";
import { createInference, type Inference } from "../../src/inference/dispatch.ts";
import type { FileRequest, KserveRequest } from "../../src/inference/model.ts";
import type { Workload } from "../../src/inference/replicas.ts";
import { BUSY } from "../../src/inference/verdict.ts";
import type { Volume } from "../../src/volume/volume.ts";
import { allLabels, oblique, plain } from "../volume/formats/fixtures.ts";

export const raw: FileRequest = {
  format: "nifti",
  compression: "none",
  level: 1,
  layout: "ZYX",
  orientation: "native",
  body: { kind: "raw" },
};

/** A form with one field, as most home-made servers want it. */
export const multipart: FileRequest["body"] = {
  kind: "multipart",
  parts: [{ name: "file", filename: "volume.nii.gz", data: "${volume.bytes}" }],
};

export const kserve: KserveRequest = {
  format: "kserve",
  input: "IMAGE",
  datatype: "INT16",
  layout: "NCZYX",
  orientation: "native",
  parameters: {},
};

/** On the grid of the fixtures: voxel n has the value 7n - 200. */
export function smallVolume(): Volume {
  const voxels = new Int16Array(new SharedArrayBuffer(120));
  voxels.forEach((_, n) => {
    voxels[n] = 7 * n - 200;
  });
  return { grid: oblique, voxels };
}

/** The label map of the fixtures as ITK writes it. */
export const goodAnswer = plain("ITK, NIfTI");

export type TestModel = LabelledModel & Workload;

export function model(url: string, change: Partial<TestModel> = {}): TestModel {
  return {
    name: "mandible",
    version: "1",
    url,
    headers: {},
    params: {},
    slots: {},
    replicas: [],
    needs: {},
    cache: false,
    deadlineMs: 20_000,
    lingerMs: 0,
    attempts: 1,
    request: raw,
    transport: { kind: "sync" },
    statuses: { ok: [], busy: BUSY },
    response: { as: "labelmap", unwrap: [], echoes: {}, maxBytes: 1_000_000 },
    limits: { ratio: 1100, retryAfterMs: 60_000 },
    origins: [],
    urlMap: {},
    segments: new Map(allLabels.map((label) => [label, { label: `Segment ${label}` }])),
    ...change,
  };
}

/** A clock that never waits, and remembers how long it was asked to. */
export function impatientClock(): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    ...systemClock,
    waits,
    async sleep(ms, options) {
      waits.push(ms);
      options?.signal?.throwIfAborted();
    },
  };
}

interface Line extends LogFields {
  readonly event: string;
}

export function recordingLog(): Log & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const record = (event: string, fields: LogFields): void => void lines.push({ event, ...fields });
  return { ...silentLog, lines, info: record, warn: record, error: record };
}

/** One thread for all tests of a file: to start one takes longer than most of them. */
export const pool = new WorkerPool(1);
afterAll(() => pool[Symbol.asyncDispose]());

export interface Setup extends AsyncDisposable {
  readonly inference: Inference;
  readonly clock: ReturnType<typeof impatientClock>;
  readonly log: ReturnType<typeof recordingLog>;
}

export function setup(models: readonly TestModel[], slots: Readonly<Record<string, number>> = {}): Setup {
  const clock = impatientClock();
  const log = recordingLog();
  const settings = {
    models: new Map(models.map((each) => [each.name, each])),
    slots: Object.fromEntries(Object.entries(slots).map(([name, places]) => [name, { places, stat: 0 }])),
    secrets: {},
  };
  const inference = createInference(settings, { log, clock, pool });
  return {
    inference,
    clock,
    log,
    [Symbol.asyncDispose]: () => inference[Symbol.asyncDispose](),
  };
}

export const never = new AbortController().signal;
