/**
 * What the stages do, as the pipeline asks for it: settings and shared parts bound to the functions of the stages.
 *
 * Here is the memory rule of the node: VOLUMES_AT_ONCE series stand in memory, each built once and shared by all
 * the models that are asked about it; further runs wait.
 */

import { outcomeOf } from "./association/statuses.ts";
import type { Clock } from "./base/clock.ts";
import { counted } from "./base/counted.ts";
import { NodeError } from "./base/errors.ts";
import type { Log } from "./base/log.ts";
import { Shelf } from "./base/shelf.ts";
import type { WorkerPool } from "./base/worker-pool.ts";
import type { Destination } from "./delivery/deliver.ts";
import type { DataSet } from "./dicom/data-set.ts";
import { readPart10Header } from "./dicom/part10.ts";
import { Chain } from "./inference/chain.ts";
import type { Answer, Inference } from "./inference/dispatch.ts";
import type { Model } from "./inference/model.ts";
import { dependentsOf, type Needs } from "./inference/needs.ts";
import type { Evidence } from "./intake/assembly.ts";
import type { Spool } from "./intake/spool.ts";
import { verifyTask } from "./intake/verify.ts";
import type { InstanceRecord, RunId, RunRecord, SeriesId, SeriesRecord } from "./ledger/records.ts";
import { reductionOf, seriesNumberOf, wantedOf } from "./result-shape.ts";
import { type CompiledRules, type FanIn, fanInOf, type Routing, route } from "./routing/rules.ts";
import type { NoFinding, Refused } from "./segmentation/input.ts";
import type { AbsentSegmentsPolicy, UnknownLabelPolicy } from "./segmentation/policy.ts";
import { PRODUCT } from "./segmentation/product.ts";
import type { Segments } from "./segmentation/segment.ts";
import { encodeTask, type SegFiles } from "./segmentation/task.ts";
import { type Built, buildVolume } from "./volume/build.ts";
import type { EarlyVolumes } from "./volume/early.ts";
import type { ImageFile } from "./volume/read-image.ts";
import { type StackPolicy, stackEvidence } from "./volume/slices.ts";
import { readHeader, WorkAhead } from "./work-ahead.ts";

/** A series as a volume, or why it is none; what it holds in memory is freed when the last run lets go. */
export interface Prepared extends AsyncDisposable {
  readonly kind: "prepared";
  /** Whether what this model found is in memory. */
  readonly has: (model: string) => boolean;
  readonly infer: (run: RunRecord, options: AskOptions) => Promise<Answer>;
  readonly encode: (
    run: RunRecord,
    answer: Answer,
    prefix: string,
  ) => Promise<SegFiles | NoFinding | Refused>;
}

export interface AskOptions {
  readonly signal: AbortSignal;
  /** Needed models that will not answer. */
  readonly missing: ReadonlySet<string>;
}

interface NotPrepared extends AsyncDisposable {
  readonly kind: "rejected";
  readonly reason: string;
  readonly detail: string;
}

/** What the stages do, handed over by node.ts. */
export interface Stages {
  readonly stackEvidence: (instances: readonly InstanceRecord[]) => Evidence["stack"];
  /** An instance came: what a model will want of it can be done now. */
  readonly workAhead: (series: SeriesId, instance: InstanceRecord) => void;
  /** It is complete; unless a model is asked about it, what was done ahead was in vain. */
  readonly complete: (series: SeriesId, isAssigned: boolean) => void;
  readonly readHeader: (instance: InstanceRecord) => Promise<DataSet>;
  readonly route: (header: DataSet, instance: InstanceRecord, instances: number) => Routing;
  /** Shared by all runs of the revision. */
  readonly hold: (
    series: SeriesRecord,
    instances: readonly InstanceRecord[],
    signal: AbortSignal,
  ) => Promise<{ readonly value: Prepared | NotPrepared } & AsyncDisposable>;
  /** Keeps the volume of a run that is about to hold it, after those who hold it now have let go. */
  readonly keepFor: (run: RunRecord) => Promise<void>;
  /** The run holds the volume itself now. */
  readonly handOver: (run: RunRecord) => void;
  /** Whether what another model found on the run's volume is in memory. */
  readonly hasFindings: (run: RunRecord, model: string) => boolean;
  readonly needs: (model: string) => Needs;
  /** Models that need this one. */
  readonly dependents: (model: string) => readonly string[];
  /** Of a rule that is not there any more: each result as it is ready. */
  readonly fanIn: (rule: string) => FanIn;
  readonly modelVersion: (model: string) => string;
  /** Whether finding nothing is an answer of this model. */
  readonly mayFindNothing: (model: string) => boolean;
  /** Of a model among all, from 0: gives each result of a study its own Series Number. */
  readonly modelPosition: (model: string) => number;
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly outcomeOf: (status: number) => "delivered" | "retry" | "refused";
}

interface ConfiguredModel extends Model {
  readonly needs: Needs;
  readonly segments: Segments;
  readonly onUnknownLabel: UnknownLabelPolicy;
  readonly absentSegments: AbsentSegmentsPolicy;
  /** What it means when the model finds nothing: an answer, or a fault. */
  readonly onEmpty: "no-finding" | "quarantine";
}

export interface StagesParts {
  readonly models: ReadonlyMap<string, ConfiguredModel>;
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly rules: CompiledRules;
  readonly inference: Inference;
  readonly volume: StackPolicy;
  readonly spool: Spool;
  readonly pool: WorkerPool;
  readonly early: EarlyVolumes;
  readonly log: Log;
  readonly clock: Clock;
}

const VOLUMES_AT_ONCE = 4;
/** A run whose turn does not come so soon finds its volume gone, and has it built again. */
const KEPT_FOR_MS = 10 * 60_000;
/** 600 slices with 40 labels take seconds; what takes longer hangs. */
const ENCODE_TIMEOUT_MS = 120_000;
/** Thousands of images, read again while they are in the page cache. */
const VERIFY_TIMEOUT_MS = 10 * 60_000;

export function createStages(parts: StagesParts): Stages {
  const { models, destinations, rules, spool } = parts;
  const shelf = new Shelf<Prepared | NotPrepared>(VOLUMES_AT_ONCE);
  const keyOf = (seriesId: string, revision: number): string => `${seriesId} ${revision}`;
  const ahead = new WorkAhead(parts);
  const kept = new Map<RunId, AsyncDisposable>();
  const letGo = (run: RunId): void => {
    const held = kept.get(run);
    kept.delete(run);
    void held?.[Symbol.asyncDispose]();
  };
  const positions = new Map([...models.keys()].map((name, at) => [name, at]));
  return {
    stackEvidence: (instances) =>
      stackEvidence(
        instances.map(({ facts }) => ({
          orientation: facts.orientation ?? [],
          position: facts.position ?? [],
        })),
      ),
    workAhead: (series, instance) => ahead.add(series, instance),
    complete: (series, isAssigned) => ahead.complete(series, isAssigned),
    readHeader: ({ id }) => readHeader(spool.pathOf(id)),
    route: (dataSet, { callingAeTitle, calledAeTitle, peer }, instances) =>
      route(rules, { dataSet, association: { callingAeTitle, calledAeTitle, peer }, instances }),
    hold: (series, instances, signal) =>
      shelf.hold(keyOf(series.id, series.revision), () => prepare(series, instances, parts), { signal }),
    async keepFor({ id, seriesId, revision }) {
      const held = await shelf.share(keyOf(seriesId, revision));
      if (!held) return;
      letGo(id);
      kept.set(id, held);
      parts.clock.after(KEPT_FOR_MS, () => letGo(id));
    },
    handOver: ({ id }) => letGo(id),
    hasFindings: ({ seriesId, revision }, model) => {
      const prepared = shelf.made(keyOf(seriesId, revision));
      return prepared?.kind === "prepared" && prepared.has(model);
    },
    needs: (name) => modelOf(parts, name).needs,
    dependents: (name) => dependentsOf(name, models),
    fanIn: (rule) => fanInOf(rules, rule),
    modelVersion: (name) => modelOf(parts, name).version,
    mayFindNothing: (name) => modelOf(parts, name).onEmpty === "no-finding",
    modelPosition: (name) => positions.get(name) ?? 0,
    destinations,
    outcomeOf,
  };
}

/** The volume begun while its slices arrived, if there is one. */
async function earlyOrBuilt(
  { id }: SeriesRecord,
  files: readonly ImageFile[],
  { early, pool, volume: stack }: StagesParts,
): Promise<Built> {
  return (await early.finish(id, files)) ?? (await buildVolume(files, { pool, stack }));
}

async function prepare(
  series: SeriesRecord,
  instances: readonly InstanceRecord[],
  parts: StagesParts,
): Promise<Prepared | NotPrepared> {
  const { inference, spool, pool, log, clock } = parts;
  const { studyUid, seriesUid } = series;
  const started = clock.elapsed();
  const files = instances.map(({ id, sopInstanceUid }) => ({ path: spool.pathOf(id), sopInstanceUid }));
  const kept = instances.map(({ id, sopInstanceUid, sha256 }) => ({
    path: spool.pathOf(id),
    sopInstanceUid,
    sha256,
  }));
  const [built, damaged] = await Promise.all([
    earlyOrBuilt(series, files, parts),
    pool.run(verifyTask, kept, { timeoutMs: VERIFY_TIMEOUT_MS }),
  ]);
  if (damaged.length > 0) {
    throw new NodeError("STORED_DAMAGED", `Spool: ${damaged.length} images are not as they were received`);
  }
  const elapsedMs = Math.round(clock.elapsed() - started);
  if (built.kind === "rejected") {
    log.warn("volume.rejected", { studyUid, seriesUid, reason: built.reason, elapsedMs });
    return { ...built, [Symbol.asyncDispose]: async () => {} };
  }
  log.info("volume.built", { studyUid, seriesUid, frames: built.source.frames.length, elapsedMs });
  const { dataSet } = await readPart10Header(built.source.path);
  counted(built.volume.voxels);
  const shared = inference.prepare(built.volume, { paths: files.map(({ path }) => path), study: studyUid });
  const chain = new Chain(shared, { models: parts.models, inference, pool });
  return {
    kind: "prepared",
    has: (model) => chain.has(model),
    infer: ({ model, priority }, options) =>
      chain.infer(model, { ...options, priority, about: { studyUid, seriesUid } }),
    encode: (run, answer, prefix) =>
      encode({ run, answer, prefix, built, instances, header: dataSet, parts }),
    [Symbol.asyncDispose]: async () => shared[Symbol.dispose](),
  };
}

interface Encoding {
  readonly run: RunRecord;
  readonly answer: Answer;
  readonly prefix: string;
  readonly built: Extract<Built, { kind: "volume" }>;
  readonly instances: readonly InstanceRecord[];
  readonly header: DataSet;
  readonly parts: StagesParts;
}

/** The time in the SEG is that of the run, which survives a crash: the SEG made again has the same bytes. */
function encode({
  run,
  answer,
  prefix,
  built,
  instances,
  header,
  parts,
}: Encoding): Promise<SegFiles | NoFinding | Refused> {
  const model = modelOf(parts, run.model);
  const job = {
    source: built.source,
    allInstances: instances.map(({ sopClassUid, sopInstanceUid }) => ({ sopClassUid, sopInstanceUid })),
    findings: answer.findings,
    segments: model.segments,
    ...reductionOf(model.response),
    onUnknownLabel: model.onUnknownLabel,
    absentSegments: model.absentSegments,
    model: { name: run.model, version: run.modelVersion },
    revision: run.revision,
    resultAt: run.createdAt,
    seriesNumber: seriesNumberOf(header) + run.position,
    product: PRODUCT,
    wanted: wantedOf(run.destinations, answer, parts.destinations),
    outputPrefix: prefix,
  };
  return parts.pool.run(encodeTask, job, { timeoutMs: ENCODE_TIMEOUT_MS });
}

function modelOf({ models }: StagesParts, name: string): ConfiguredModel {
  const model = models.get(name);
  if (!model) throw new NodeError("MODEL_UNKNOWN", `Model ${name}: not in the config any more`);
  return model;
}
