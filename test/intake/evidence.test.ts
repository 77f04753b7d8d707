import { expect, test } from "vitest";
import { decide } from "../../src/intake/assembly.ts";
import { evidenceOf } from "../../src/intake/evidence.ts";
import type { SeriesRecord } from "../../src/ledger/records.ts";

const SETTINGS = { settleMs: 5_000, quietPeriodMs: 30_000, maximumWaitMs: 600_000 };
const SERIES = { instances: 7, openedAt: 1_000_000, lastAt: 1_010_000 } as SeriesRecord;

test("time in which the node was down is no quiet: the sender gets the whole period to go on", () => {
  const upSince = 9_000_000;
  const evidence = evidenceOf(SERIES, [], { sending: 0, stack: "gap-free", upSince });
  expect(decide(evidence, SETTINGS, upSince)).toEqual({ kind: "wait", until: upSince + 30_000 });
  expect(decide(evidence, SETTINGS, upSince + 30_000)).toEqual({ kind: "complete", reason: "quiet-period" });
});

test("a node that was up all the time counts from the newest image", () => {
  const evidence = evidenceOf(SERIES, [], { sending: 0, stack: "gap-free", upSince: 500_000 });
  expect(decide(evidence, SETTINGS, 1_020_000)).toEqual({ kind: "wait", until: 1_040_000 });
});
