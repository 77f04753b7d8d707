/**
 * The composition root: the parts of the node, built left to right and released right to left.
 *
 * A stop begins at the listener and ends at the disk, so no stage loses the one it hands over to.
 */
import { access, constants, mkdir, open, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { listen } from "./association/scp.ts";
import type { Clock } from "./base/clock.ts";
import { NodeError } from "./base/errors.ts";
import type { Log } from "./base/log.ts";
import { WorkerPool } from "./base/worker-pool.ts";
import type { Config } from "./config/schema.ts";
import { type Associate, createCourier } from "./delivery/deliver.ts";
import { Outbox } from "./delivery/outbox.ts";
import { Quarantine } from "./delivery/quarantine.ts";
import { IMPLEMENTATION } from "./dicom/constants.ts";
import { ModelAccess } from "./inference/access.ts";
import { createInference } from "./inference/dispatch.ts";
import { needsAccess } from "./inference/reference.ts";
import { Admission } from "./intake/admission.ts";
import { Intake } from "./intake/intake.ts";
import { settleOrphans } from "./intake/orphans.ts";
import { Senders } from "./intake/senders.ts";
import { Spool } from "./intake/spool.ts";
import { backlogOf } from "./ledger/backlog.ts";
import { type Ledger, openLedger } from "./ledger/ledger.ts";
import { hasFile } from "./ledger/series.ts";
import { openAudit } from "./ops/audit/audit.ts";
import { Desk } from "./ops/desk.ts";
import { LiveEvents } from "./ops/http/events.ts";
import { type Check, type HttpParts, startHttp } from "./ops/http/server.ts";
import { Metrics } from "./ops/metrics.ts";
import { createNotifiers } from "./ops/notify/notifications.ts";
import { type Observer, observedLog } from "./ops/observed-log.ts";
import { Pictures } from "./picture.ts";
import { closeJob } from "./pipeline/close.ts";
import { commitJob, commitmentHandler } from "./pipeline/commit-answer.ts";
import { deliverJob } from "./pipeline/deliver.ts";
import { inferJob } from "./pipeline/infer.ts";
import { type PeerSettings, Peers } from "./pipeline/peers.ts";
import { Reachability } from "./pipeline/reachability.ts";
import { Superseding } from "./pipeline/superseding.ts";
import { startUpkeep } from "./pipeline/upkeep.ts";
import { compileRules } from "./routing/rules.ts";
import { createStages } from "./stages.ts";
import { EarlyVolumes } from "./volume/early.ts";
import { warm } from "./worker-modules.ts";

export interface System {
  readonly log: Log;
  readonly clock: Clock;
}

export interface RunningNode extends AsyncDisposable {
  /** Of the HTTP door, if the config has one. */
  readonly httpPort?: number;
  /** Of the DICOM listener; what the system chose if the config says 0. */
  readonly port: number;
  /** Undefined without TLS. */
  readonly tlsPort: number | undefined;
  /** Takes up keys, certificates and authorities that have changed. Never rejects. */
  reloadCertificates(): Promise<void>;
}

/** Series that may be looked at at once, and runs and deliveries that may wait for their turn in memory. */
const CLOSE_CONCURRENCY = 4;
const INFER_CONCURRENCY = 64;
/** One model that hangs leaves places in memory to the others (stages.ts, VOLUMES_AT_ONCE). */
const INFERENCES_PER_MODEL = 2;
/** An association carries one instance at a time; the next one is read, the last one noted meanwhile. */
const DELIVERIES_PER_DESTINATION = 2;
/** Peers that are asked or told about storage commitment at a time. */
const COMMIT_CONCURRENCY = 8;
/** Parts of the time a stop may take: running inferences may end, then what is being sent. */
const GRACE = { infer: 1 / 3, deliver: 1 / 6 } as const;

/**
 * @throws NodeError DATA_FOLDER_UNUSABLE, DATA_FOLDER_IN_USE, LEDGER_FAILED, TLS_FILES_UNUSABLE, LISTEN_FAILED,
 *         CONFIG_INVALID
 */
export async function startNode(config: Config, given: System): Promise<RunningNode> {
  const observers = new Set<Observer>();
  const log = observedLog(given.log, observers);
  const system = { ...given, log };
  const { dataDir } = config.node;
  await makeFolder(dataDir);
  await using parts = new AsyncDisposableStack();

  const audit = parts.use(await openAudit(dataDir, config.audit, system));
  observers.add((event) => audit.observe(event));
  for (const notifier of createNotifiers(config.notifications, config.node.aeTitle, system)) {
    parts.use(notifier);
    observers.add((event) => notifier.observe(event));
  }
  const ledger = parts.use(await openLedger(dataDir, system, config.node));
  const spool = parts.use(await Spool.open(join(dataDir, "instances"), config.node));
  if (ledger.isNew && !(await spool.isEmpty())) {
    throw new NodeError("LEDGER_FAILED", `Ledger: none in ${dataDir}, but instances; nothing is touched`);
  }
  const aside = join(dataDir, "orphans");
  const orphans = await settleOrphans(spool, aside, (id) => hasFile(ledger.store.db, id));
  if (orphans.removed > 0) log.info("intake.orphans-removed", { count: orphans.removed });
  if (orphans.parked > 0) log.warn("intake.orphans-parked", { count: orphans.parked, path: aside });
  const outbox = parts.use(await Outbox.open(join(dataDir, "results")));
  const quarantine = await Quarantine.open(join(dataDir, "quarantine"));
  await syncFolder(dataDir); // or its folders could be gone after a power cut
  const pool = parts.use(new WorkerPool(config.node.workers));
  spool.warm().catch((error: unknown) => log.debug("node.not-warm", { error }));
  warm(pool).catch((error: unknown) => log.debug("node.not-warm", { error }));
  const peers = parts.use(await Peers.open(calledPeers(config), system));
  const courier = parts.use(createCourier(associateOver(peers, config), { ...system, pool }));
  const isReached = [...config.models.values()].some(needsAccess);
  const access =
    config.modelAccess && isReached && parts.use(await ModelAccess.open(config.modelAccess, system.clock));
  const inference = parts.use(createInference(config, { ...system, pool, access: access || undefined }));

  const early = parts.use(new EarlyVolumes(pool));
  const rules = compileRules(config.rules);
  const destinations = config.destinations;
  const stages = createStages({ ...config, destinations, rules, inference, spool, pool, early, ...system });
  const senders = new Senders();
  const superseding = new Superseding();
  const pipeline = {
    stages,
    ledger,
    senders,
    outbox,
    quarantine,
    courier,
    assembly: config.assembly,
    superseding,
    reachability: new Reachability(ledger.queue, system),
    upSince: system.clock.now(),
    ...system,
  };
  const commit = { ...config, ledger, peers, ...system };
  const { stopWithinMs } = config.node;
  const runs = {
    concurrency: INFER_CONCURRENCY,
    perGroup: INFERENCES_PER_MODEL,
    graceMs: stopWithinMs * GRACE.infer,
  };
  const deliveries = {
    concurrency: Math.max(destinations.size, 1) * DELIVERIES_PER_DESTINATION,
    perGroup: DELIVERIES_PER_DESTINATION,
    graceMs: stopWithinMs * GRACE.deliver,
  };
  const commitments = { concurrency: COMMIT_CONCURRENCY, perGroup: 1 };
  parts.use(ledger.queue.work("commit", commitments, (job) => commitJob(job, commit)));
  parts.use(ledger.queue.work("deliver", deliveries, (job) => deliverJob(job, pipeline)));
  parts.use(ledger.queue.work("infer", runs, (job) => inferJob(job, pipeline)));
  parts.use(ledger.queue.work("close", { concurrency: CLOSE_CONCURRENCY }, (job) => closeJob(job, pipeline)));

  const { retention } = config;
  parts.use(startUpkeep({ ledger, spool, outbox, superseding, retention, ...system }));

  const admission = new Admission(dataDir, config.node.reserveBytes, system);
  const { group, queue } = ledger;
  const intake = new Intake({
    spool,
    admission,
    senders,
    group,
    queue,
    settings: { ...config.assembly, ...config.dicom.limits },
    onKept: stages.workAhead,
    onReopened: (series) => superseding.reopened(series),
    ...system,
  });
  const commitment = speaksOfCommitment(config) ? commitmentHandler(commit) : undefined;
  const scp = parts.use(await listen(config.dicom, intake, { ...system, commitment }));
  const pictures = new Pictures({ db: ledger.store.db, spool, outbox, pool });
  const watched = { dataDir, admission, ledger, observers, config, pictures, ...system };
  const http = config.http && parts.use(await startHttp(config.http, doorOf(watched)));
  const release = parts.move();
  return {
    port: scp.port,
    tlsPort: scp.tlsPort,
    async reloadCertificates() {
      await Promise.all([scp.reloadCertificates(), peers.reload()]);
    },
    ...(http && { httpPort: http.port }),
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}

interface Watched extends System {
  readonly dataDir: string;
  readonly admission: Admission;
  readonly ledger: Ledger;
  readonly observers: Set<Observer>;
  readonly config: Config;
  readonly pictures: Pictures;
}

/** What the HTTP door tells. */
function doorOf({ dataDir, admission, ledger, observers, config, pictures, log, clock }: Watched): HttpParts {
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(dataDir);
    return bavail * bsize;
  };
  const { db } = ledger.store;
  const backlog = () => backlogOf(db, clock.now());
  const metrics = new Metrics({ backlog, freeBytes }, IMPLEMENTATION.VERSION_NAME);
  observers.add((event) => metrics.observe(event));
  const live = new LiveEvents(clock);
  observers.add((event) => live.observe(event));
  const models = [...config.models.values()].map(({ name, version, url, slots }) => ({
    name,
    version,
    host: new URL(url).host,
    slots,
  }));
  const destinations = [...config.destinations.values()].map(({ name, aeTitle, host, port }) => ({
    name,
    aeTitle,
    host,
    port,
  }));
  const desk = new Desk({ ledger, models, destinations, log, clock });
  const checks = async (): Promise<readonly Check[]> => [
    {
      name: "disk",
      ok: admission.isOpen,
      ...(!admission.isOpen && { detail: "less than node.reserve is free" }),
    },
    await db.query("SELECT 1", []).then(
      () => ({ name: "ledger", ok: true }),
      () => ({ name: "ledger", ok: false, detail: "cannot be read" }),
    ),
  ];
  return { log, clock, checks, metrics, desk, live, pictures, version: IMPLEMENTATION.VERSION_NAME };
}

/** @throws NodeError DATA_FOLDER_UNUSABLE */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await access(path, constants.W_OK);
    await syncFolder(dirname(path));
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new NodeError("DATA_FOLDER_UNUSABLE", `Data folder ${path}: cannot be made or written (${code})`, {
      cause,
    });
  }
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path);
  await folder.sync();
}

function speaksOfCommitment({ destinations, devices }: Config): boolean {
  return devices.size > 0 || [...destinations.values()].some(({ storageCommitment }) => storageCommitment);
}

function* calledPeers({ destinations, devices }: Config): Generator<readonly [string, PeerSettings]> {
  for (const [name, destination] of destinations) yield [`destinations.${name}`, destination];
  for (const [aeTitle, device] of devices) yield [`dicom.commitment ${aeTitle}`, device];
}

/** A context for each syntax that an object can be sent in: the peer cannot choose another. */
function associateOver(peers: Peers, { destinations }: Config): Associate {
  return ({ name }, context, { signal }) => {
    const peer = destinations.get(name);
    if (!peer) throw new Error(`bug: ${name} is no destination`);
    return peers.associate(peer, { contexts: [context], signal });
  };
}
