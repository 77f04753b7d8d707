/**
 * Prometheus metrics of the node: what its log events tell, counted; and gauges that are read when asked for.
 *
 * In:   the events of the log (observed-log.ts), a reading of the ledger and the disk.
 * Out:  the text of /metrics.
 *
 * Labels hold names from the config and closed lists of reasons, never a UID, an address or a patient.
 *
 * @see https://prometheus.io/docs/practices/naming
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { LogFields } from "../base/log.ts";
import type { Backlog } from "../ledger/backlog.ts";
import type { LogEvent } from "./observed-log.ts";

export interface Readings {
  readonly backlog: () => Promise<Backlog>;
  /** Bytes free for the node in its data folder. */
  readonly freeBytes: () => Promise<number>;
}

/** Gauges of prom-client that are named like counters; the same is told by type under nodejs_active_*. */
const MISNAMED = ["handles", "requests", "resources"].map((what) => `nodejs_active_${what}_total`);
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

export class Metrics {
  readonly #registry = new Registry();
  readonly #counted: ReadonlyMap<string, (fields: LogFields) => void>;

  constructor(readings: Readings, version: string) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
    new Gauge({
      name: "isocenter_build_info",
      help: "The running version; always 1.",
      labelNames: ["version"],
      registers,
    }).set({ version }, 1);
    this.#gauges(readings, registers);
    this.#counted = counters(registers);
  }

  observe({ event, fields }: LogEvent): void {
    this.#counted.get(event)?.(fields);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #gauges({ backlog, freeBytes }: Readings, registers: Registry[]): void {
    const waiting = new Gauge({
      name: "isocenter_jobs_waiting",
      help: "Jobs that wait or run, by queue and by the model or destination they are for.",
      labelNames: ["queue", "group"],
      registers,
      async collect() {
        const { jobs } = await backlog();
        waiting.reset();
        for (const { queue, group, count } of jobs) waiting.set({ queue, group }, count);
      },
    });
    const outbox = new Gauge({
      name: "isocenter_outbox_oldest_seconds",
      help: "Age of the oldest result that a destination has not taken yet.",
      labelNames: ["destination"],
      registers,
      async collect() {
        const { oldest } = await backlog();
        outbox.reset();
        for (const { destination, ageMs } of oldest) outbox.set({ destination }, ageMs / 1000);
      },
    });
    const free = new Gauge({
      name: "isocenter_disk_free_bytes",
      help: "Space left for the data folder.",
      registers,
      async collect() {
        free.set(await freeBytes());
      },
    });
  }
}

type Registers = Registry[];

function counters(registers: Registers): ReadonlyMap<string, (fields: LogFields) => void> {
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const seconds = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Histogram({ name, help, labelNames, registers, buckets: SECONDS });

  const associations = counter(
    "isocenter_associations_total",
    "Associations to this node, by how they ended.",
    ["outcome"],
  );
  const instances = counter("isocenter_instances_received_total", "Instances taken, by what they were.", [
    "kind",
  ]);
  const refusals = counter("isocenter_instances_refused_total", "Instances answered with a failure status.");
  const bytes = counter("isocenter_received_bytes_total", "Bytes received in associations that ended.");
  const completed = counter("isocenter_series_completed_total", "Series judged complete, by why.", [
    "reason",
  ]);
  const routed = counter("isocenter_series_routed_total", "Complete series, by what became of them.", [
    "outcome",
  ]);
  const built = seconds("isocenter_volume_build_seconds", "From complete series to volume.");
  const rejected = counter("isocenter_volumes_rejected_total", "Series that form no volume, by why.", [
    "reason",
  ]);
  const inferences = seconds(
    "isocenter_inference_seconds",
    "From the slot asked for to the answer decoded.",
    ["model"],
  );
  const waited = seconds("isocenter_inference_wait_seconds", "For a slot.", ["model"]);
  const failures = counter(
    "isocenter_inference_failures_total",
    "Calls of a model that failed, by error code.",
    ["model", "code"],
  );
  const runs = counter("isocenter_runs_total", "Runs of a model on a series, by how they ended.", [
    "model",
    "outcome",
  ]);
  const encoded = seconds("isocenter_segmentation_seconds", "From findings to a SEG on disk.", ["model"]);
  const deliveries = counter(
    "isocenter_delivery_attempts_total",
    "Tries to deliver a result, by what came of them.",
    ["destination", "outcome"],
  );
  const delivery = seconds("isocenter_delivery_seconds", "Of a try that succeeded.", ["destination"]);

  const { model, destination, reason, elapsed } = LABEL;
  const ended = (outcome: string) => (fields: LogFields) => {
    associations.inc({ outcome });
    bytes.inc(fields.bytes ?? 0);
  };
  const run = (outcome: string) => (fields: LogFields) => runs.inc({ ...model(fields), outcome });
  const attempt = (outcome: string) => (fields: LogFields) =>
    deliveries.inc({ ...destination(fields), outcome });
  const series = (outcome: string) => () => routed.inc({ outcome });
  const kind = (kind: string) => () => instances.inc({ kind });
  return new Map<string, (fields: LogFields) => void>([
    ["association.closed", ended("released")],
    ["association.aborted", ended("aborted")],
    ["association.rejected", () => associations.inc({ outcome: "rejected" })],
    ["intake.opened", kind("new")],
    ["intake.added", kind("new")],
    ["intake.duplicate", kind("duplicate")],
    ["intake.conflict", kind("conflict")],
    ["intake.refused", () => refusals.inc()],
    ["series.complete", (fields) => completed.inc(reason(fields))],
    ["series.assigned", series("assigned")],
    ["series.kept-out", series("kept-out")],
    ["series.no-rule", series("no-rule")],
    ["volume.built", (fields) => built.observe(elapsed(fields))],
    ["volume.rejected", (fields) => rejected.inc(reason(fields))],
    ["inference.started", (fields) => waited.observe(model(fields), (fields.waitMs ?? 0) / 1000)],
    ["inference.done", (fields) => inferences.observe(model(fields), elapsed(fields))],
    ["inference.failed", (fields) => failures.inc({ ...model(fields), code: fields.code ?? "unknown" })],
    [
      "segmentation.done",
      (fields) => {
        encoded.observe(model(fields), elapsed(fields));
      },
    ],
    ["run.done", run("done")],
    ["run.no-finding", run("no-finding")],
    ["run.ended", run("failed")],
    ["run.quarantined", run("quarantined")],
    [
      "delivery.done",
      (fields) => {
        attempt("delivered")(fields);
        delivery.observe(destination(fields), elapsed(fields));
      },
    ],
    ["delivery.replaced", attempt("replaced")],
    ["delivery.postponed", attempt("postponed")],
    ["delivery.held", attempt("held")],
  ]);
}

const LABEL = {
  model: ({ model = "unknown" }: LogFields) => ({ model }),
  destination: ({ destination = "unknown" }: LogFields) => ({ destination }),
  reason: ({ reason = "unknown" }: LogFields) => ({ reason }),
  elapsed: ({ elapsedMs = 0 }: LogFields) => elapsedMs / 1000,
};
