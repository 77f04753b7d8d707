import { expect, test } from "vitest";
import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/ops/metrics.ts";
import { type LogEvent, type Observer, observedLog } from "../../src/ops/observed-log.ts";

const READINGS = {
  backlog: async () => ({
    jobs: [{ queue: "infer", group: "bone", count: 3 }],
    oldest: [{ destination: "pacs", ageMs: 90_000 }],
    heldDeliveries: 0,
  }),
  freeBytes: async () => 12_345,
};

test("what the log tells is counted, by model and destination", async () => {
  const metrics = new Metrics(READINGS, "TEST");
  const log = observedLog(silentLog, new Set<Observer>([(event) => metrics.observe(event)]));
  log.info("association.closed", { bytes: 1000, instances: 2 });
  log.debug("intake.added", {});
  log.debug("intake.added", {});
  log.info("inference.done", { model: "bone", elapsedMs: 1500 });
  log.warn("inference.failed", { model: "bone", code: "MODEL_BUSY" });
  log.warn("run.quarantined", { model: "bone", code: "LABEL_UNKNOWN" });
  log.info("delivery.done", { destination: "pacs", elapsedMs: 40 });
  const text = await metrics.text();
  for (const line of [
    'isocenter_associations_total{outcome="released"} 1',
    "isocenter_received_bytes_total 1000",
    'isocenter_instances_received_total{kind="new"} 2',
    'isocenter_inference_seconds_sum{model="bone"} 1.5',
    'isocenter_inference_failures_total{model="bone",code="MODEL_BUSY"} 1',
    'isocenter_runs_total{model="bone",outcome="quarantined"} 1',
    'isocenter_delivery_attempts_total{destination="pacs",outcome="delivered"} 1',
    'isocenter_jobs_waiting{queue="infer",group="bone"} 3',
    'isocenter_outbox_oldest_seconds{destination="pacs"} 90',
    "isocenter_disk_free_bytes 12345",
  ])
    expect(text.split("\n")).toContain(line);
});

test("an observer that fails harms neither the log nor the other observers", () => {
  const logged: string[] = [];
  const seen: LogEvent[] = [];
  const broken: Observer = () => {
    throw new Error("broken");
  };
  const log = observedLog(
    { ...silentLog, info: (event) => void logged.push(event), error: (event) => void logged.push(event) },
    new Set<Observer>([broken, (event) => void seen.push(event)]),
  );
  log.info("node.started", {});
  expect(logged).toEqual(["node.started", "node.observer-failed"]);
  expect(seen).toEqual([{ level: "info", event: "node.started", fields: {} }]);
});
