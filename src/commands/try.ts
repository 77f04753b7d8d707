/**
 * `isocenter try`: one model, one series of a folder, and what became of it beside the folder, with the time of
 * every step. Nothing is stored, and nothing is sent but the request to the model.
 */
import { rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Clock, systemClock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import { WorkerPool } from "../base/worker-pool.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { type DicomFile, readFolder } from "../demo/send.ts";
import { ModelAccess } from "../inference/access.ts";
import { type Answered, Asker, type Read } from "../inference/ask.ts";
import { prepareVolume } from "../inference/prepare.ts";
import { needsAccess } from "../inference/reference.ts";
import { reductionOf } from "../result-shape.ts";
import { PRODUCT } from "../segmentation/product.ts";
import { encodeTask } from "../segmentation/task.ts";
import { type Built, buildVolume } from "../volume/build.ts";

export interface TryOptions {
  readonly config: string;
  readonly model: string;
  readonly folder: string;
  /** Which one, where the folder holds several. */
  readonly series?: string;
}

type Output = Readonly<Record<"print" | "complain", (line: string) => void>>;
type Model = NonNullable<ReturnType<Config["models"]["get"]>>;
type Volume = Extract<Built, { kind: "volume" }>;

/** Far from the numbers that scanners use. */
const SERIES_NUMBER = 90_000;

/** @returns the exit code */
export async function tryModel(options: TryOptions, { print, complain }: Output): Promise<number> {
  const loaded = await loadConfig(options.config);
  if (loaded.kind === "invalid") {
    for (const { file, line, column, message } of loaded.problems)
      complain(`${file}:${line}:${column}: ${message}`);
    return 1;
  }
  const { config } = loaded;
  const model = config.models.get(options.model);
  if (!model) {
    complain(`There is no model ${options.model}; there are ${[...config.models.keys()].join(", ")}`);
    return 1;
  }
  const watch = new Watch(systemClock, print);
  try {
    const files = await watch.time("files read", () => seriesIn(options));
    await using pool = new WorkerPool(config.node.workers);
    const built = await watch.time("volume built", () => buildVolume(files, { pool }));
    if (built.kind === "rejected") throw new Failed(`No volume (${built.reason}): ${built.detail}`);
    const { size } = built.volume.grid;
    print(`  ${size.join(" × ")} voxels, series ${built.source.seriesUid}`);
    const { read, answeredAt } = await asked(model, built, { config, pool, files, watch });
    const written = await watch.time("SEG written", () =>
      encoded(model, { read, built, files, answeredAt, pool, folder: options.folder }),
    );
    for (const line of written) print(`  ${line}`);
    return 0;
  } catch (error) {
    if (!(error instanceof NodeError || error instanceof Failed)) throw error;
    complain(error.message);
    return 1;
  }
}

/** Something that is no fault of the program, said in one line. */
class Failed extends Error {}

async function seriesIn({ folder, series }: TryOptions): Promise<readonly DicomFile[]> {
  const { files } = await readFolder(folder).catch((error: Error) => {
    throw new Failed(`${folder}: cannot be read: ${error.message}`);
  });
  const groups = Map.groupBy(files, ({ seriesUid }) => seriesUid);
  const wanted = series ?? (groups.size === 1 ? [...groups.keys()][0] : undefined);
  const found = wanted === undefined ? undefined : groups.get(wanted);
  if (found) return [...new Map(found.map((file) => [file.sopInstanceUid, file])).values()];
  const there = Array.from(groups, ([uid, { length }]) => `${uid} (${length} images)`);
  throw new Failed(
    groups.size === 0
      ? `${folder} holds no DICOM images`
      : `${folder} holds ${groups.size} series, choose one with --series: ${there.join(", ")}`,
  );
}

interface Surroundings {
  readonly config: Config;
  readonly pool: WorkerPool;
  readonly files: readonly DicomFile[];
  readonly watch: Watch;
}

async function asked(
  model: Model,
  { volume, source }: Volume,
  { config, pool, files, watch }: Surroundings,
): Promise<{ readonly read: Read; readonly answeredAt: number }> {
  const signal = new AbortController().signal;
  await using parts = new AsyncDisposableStack();
  const access =
    config.modelAccess && needsAccess(model)
      ? parts.use(await ModelAccess.open(config.modelAccess, systemClock))
      : undefined;
  const { secrets } = config;
  const connections = new Map([[model.name, 4]]);
  const asker = parts.use(new Asker({ clock: systemClock, pool, access, secrets, connections }));
  const paths = files.map(({ path }) => path);
  const prepared = parts.use(prepareVolume(volume, pool, { paths }));
  const { studyUid, seriesUid } = source;
  const asking = parts.use(
    await watch.time("request made", () => asker.prepare(model, prepared, { studyUid, seriesUid })),
  );
  const outcome = await asking.send({ signal });
  if (outcome.kind === "busy")
    throw new Failed(`Model ${model.name}: HTTP ${outcome.status}, busy; try again later`);
  told(outcome, asking.bytes, watch);
  const answeredAt = systemClock.now();
  const read = await watch.time("answer read", () => asking.read(outcome, { signal }));
  return { read, answeredAt };
}

function told({ sendMs, serverMs, reply }: Answered, bytes: number, watch: Watch): void {
  watch.tell("request sent", sendMs, `${bytes} bytes`);
  watch.tell("model at work", serverMs, `${reply.bytes.length} bytes`);
}

async function encoded(
  model: Model,
  of: {
    readonly read: Read;
    readonly built: Volume;
    readonly files: readonly DicomFile[];
    readonly answeredAt: number;
    readonly pool: WorkerPool;
    readonly folder: string;
  },
): Promise<readonly string[]> {
  const { read, built, files, answeredAt, pool } = of;
  const outputPrefix = `${resolve(of.folder)}.${model.name}`;
  const lines: string[] = [];
  if (read.measurements !== undefined) {
    await writeFile(`${outputPrefix}.json`, read.measurements);
    lines.push(`measurements in ${outputPrefix}.json`);
  }
  const made = await pool.run(encodeTask, {
    source: built.source,
    allInstances: files.map(({ sopClassUid, sopInstanceUid }) => ({ sopClassUid, sopInstanceUid })),
    findings: read.findings,
    segments: model.segments,
    ...reductionOf(model.response),
    onUnknownLabel: model.onUnknownLabel,
    absentSegments: model.absentSegments,
    model: { name: model.name, version: model.version },
    revision: 1,
    resultAt: answeredAt,
    seriesNumber: SERIES_NUMBER,
    product: PRODUCT,
    wanted: [],
    outputPrefix,
  });
  if (made.kind === "no-finding") return [...lines, "no finding: no voxel has a label"];
  if (made.kind === "refused") throw new Failed(`The result may not leave (${made.reason}): ${made.detail}`);
  for (const { name, segments, frames } of made.objects) {
    const path = join(resolve(of.folder), "..", name);
    await rename(`${path}.part`, path);
    lines.push(`segments ${segments}, frames ${frames}: ${path}`);
  }
  return lines;
}

/** Says each step with the time it took. */
class Watch {
  readonly #clock: Clock;
  readonly #print: (line: string) => void;

  constructor(clock: Clock, print: (line: string) => void) {
    this.#clock = clock;
    this.#print = print;
  }

  async time<T>(what: string, work: () => Promise<T>): Promise<T> {
    const started = this.#clock.elapsed();
    const value = await work();
    this.tell(what, this.#clock.elapsed() - started);
    return value;
  }

  tell(what: string, ms: number, more = ""): void {
    this.#print(
      `  ${what.padEnd(16)}${(ms / 1000).toFixed(3).padStart(9)} s${more === "" ? "" : `  ${more}`}`,
    );
  }
}
