/** What is delivered for Prometheus and Grafana asks for metrics that the node has, and is what those programs read. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Metrics } from "../../src/ops/metrics.ts";
import { hasProgram, testIf } from "../support/data.ts";

const ALERTS = "docker/prometheus/alerts.yaml";
const DASHBOARD = "docker/grafana/isocenter.json";
const READINGS = {
  backlog: async () => ({ jobs: [], oldest: [], heldDeliveries: 0 }),
  freeBytes: async () => 1,
};

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

const withPromtool = testIf(hasProgram("promtool"), "promtool");

withPromtool("Prometheus finds nothing wrong with the alert rules, and they fire when they should", () => {
  for (const args of [
    ["check", "rules", ALERTS],
    ["test", "rules", "docker/prometheus/alerts.test.yaml"],
  ]) {
    const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
    expect([args, status, stdout + stderr]).toEqual([args, 0, expect.stringContaining("SUCCESS")]);
  }
});

test("alerts and dashboard ask for no metric that the node does not have", async () => {
  const text = await new Metrics(READINGS, "1.0").text();
  const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const { panels } = JSON.parse(readFileSync(DASHBOARD, "utf8")) as { readonly panels: readonly Panel[] };
  const asked =
    panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join("\n") +
    readFileSync(ALERTS, "utf8");
  const names = [...asked.matchAll(/\b(?:isocenter|nodejs|process)_\w+/g)].map(([name]) =>
    name.replace(/_bucket$/, ""),
  );
  expect(new Set(names).size).toBeGreaterThan(18);
  expect(names.filter((name) => !known.has(name))).toEqual([]);
  // The other way round: what is measured is shown.
  const shown = new Set(names);
  const ours = [...known].filter((name) => name?.startsWith("isocenter_") && name !== "isocenter_build_info");
  expect(ours.filter((name) => !shown.has(name!))).toEqual([]);
});

test("panels of the dashboard have their own number and place", () => {
  const { panels } = JSON.parse(readFileSync(DASHBOARD, "utf8")) as { readonly panels: readonly Panel[] };
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const taken = new Set<string>();
  for (const {
    gridPos: { x, y, w, h },
  } of panels)
    for (let column = x; column < x + w; column += 1)
      for (let row = y; row < y + h; row += 1) {
        expect(column).toBeLessThan(24);
        expect(taken.has(`${column} ${row}`)).toBe(false);
        taken.add(`${column} ${row}`);
      }
});
