import { expect, test } from "vitest";
import { type AssemblySettings, type Decision, decide, type Evidence } from "../../src/intake/assembly.ts";
import { evidenceOf } from "../../src/intake/evidence.ts";
import { Senders } from "../../src/intake/senders.ts";
import type { SeriesId } from "../../src/ledger/records.ts";
import { HandClock } from "../support/clock.ts";

const SETTINGS: AssemblySettings = { settleMs: 5000, quietPeriodMs: 30_000, maximumWaitMs: 1_800_000 };
const SERIES = "1.2.3 1.2.3.4" as SeriesId;
const OTHER = "1.2.3 1.2.3.5" as SeriesId;

/** Ten images came between 1000 and 2000; the association was released at 2500. */
const RELEASED: Evidence = {
  instances: 10,
  stack: "unknown",
  openedAt: 1000,
  lastAt: 2000,
  sending: 0,
  releasedAt: 2500,
};
const ABORTED: Evidence = { instances: 10, stack: "unknown", openedAt: 1000, lastAt: 2000, sending: 0 };

const complete = (reason: Extract<Decision, { kind: "complete" }>["reason"]): Decision => ({
  kind: "complete",
  reason,
});
const wait = (until: number): Decision => ({ kind: "wait", until });

test.each<[what: string, evidence: Evidence, now: number, decision: Decision]>([
  ["the announced count is met", { ...RELEASED, announcedInSeries: 10 }, 2500, complete("announced-count")],
  ["more came than was announced", { ...RELEASED, announcedInSeries: 9 }, 2500, complete("announced-count")],
  ["fewer came than were announced", { ...RELEASED, announcedInSeries: 11 }, 999_000, wait(1_801_000)],
  [
    "fewer came, though the stack has no gap",
    { ...RELEASED, announcedInSeries: 11, stack: "gap-free" },
    60_000,
    wait(1_801_000),
  ],
  [
    "the count is met, but the stack has gaps",
    { ...RELEASED, announcedInSeries: 10, stack: "gaps" },
    2500,
    wait(32_000),
  ],
  [
    "the acquisition's count is met",
    { ...RELEASED, announcedInAcquisition: 10 },
    2500,
    complete("announced-count"),
  ],
  [
    "the acquisition's count is not met: it may be one of several",
    { ...RELEASED, announcedInAcquisition: 20 },
    2500,
    wait(32_000),
  ],
  ["the stack has no gap", { ...RELEASED, stack: "gap-free" }, 2500, wait(7500)],
  [
    "the stack has no gap, a while after the release",
    { ...RELEASED, stack: "gap-free" },
    7500,
    complete("gap-free"),
  ],
  ["the stack has gaps", { ...RELEASED, stack: "gaps" }, 31_999, wait(32_000)],
  [
    "the stack has gaps, after a quiet period",
    { ...RELEASED, stack: "gaps" },
    32_000,
    complete("quiet-period"),
  ],
  ["nothing is known but quiet", RELEASED, 32_000, complete("quiet-period")],
  ["the association was aborted", { ...ABORTED, stack: "gap-free" }, 7500, wait(32_000)],
  [
    "the association was aborted, the count being met",
    { ...ABORTED, announcedInSeries: 10 },
    2500,
    wait(32_000),
  ],
  [
    "the association was aborted, after a quiet period",
    { ...ABORTED, stack: "gap-free" },
    32_000,
    complete("quiet-period"),
  ],
  [
    "somebody still sends, the count being met",
    { ...ABORTED, sending: 1, announcedInSeries: 10 },
    60_000,
    wait(1_801_000),
  ],
  [
    "somebody still sends, after the maximum",
    { ...ABORTED, sending: 1 },
    1_801_000,
    complete("maximum-wait"),
  ],
  [
    "images are missing after the maximum",
    { ...RELEASED, announcedInSeries: 500 },
    1_801_000,
    complete("maximum-wait"),
  ],
  [
    "images trickle in for longer than the maximum",
    { ...RELEASED, lastAt: 1_790_000 },
    1_795_000,
    wait(1_801_000),
  ],
])("%s", (_, evidence, now, decision) => {
  expect(decide(evidence, SETTINGS, now)).toEqual(decision);
});

test("what is waited for is never in the past", () => {
  for (const stack of ["gap-free", "gaps", "unknown"] as const) {
    for (const sending of [0, 1]) {
      for (let now = 1000; now < 1_900_000; now += 997) {
        const decision = decide({ ...RELEASED, stack, sending }, SETTINGS, now);
        if (decision.kind === "wait") expect(decision.until).toBeGreaterThan(now);
      }
    }
  }
});

test("the largest announced count that an instance names is taken", () => {
  const series = { instances: 3, openedAt: 1, lastAt: 2 };
  const instances = [{}, { announcedInSeries: 12 }, { announcedInSeries: 300, announcedInAcquisition: 40 }];
  const evidence = evidenceOf(series as never, instances.map((facts) => ({ facts })) as never, {
    sending: 0,
    stack: "unknown",
    upSince: 0,
  });
  expect(evidence).toEqual({
    instances: 3,
    openedAt: 1,
    lastAt: 2,
    sending: 0,
    stack: "unknown",
    announcedInSeries: 300,
    announcedInAcquisition: 40,
  });
});

test("nothing is known of a series that nobody sends to", () => {
  expect(new Senders().of(SERIES)).toEqual({ sending: 0 });
});

test("a series is settled when the last of its associations has ended", () => {
  const senders = new Senders();
  senders.sends(1, SERIES);
  senders.sends(1, SERIES);
  senders.sends(2, SERIES);
  senders.sends(2, OTHER);
  expect(senders.of(SERIES)).toEqual({ sending: 2 });
  expect(senders.ended(1, "released", 100)).toEqual([]);
  expect(senders.ended(2, "released", 200)).toEqual([SERIES, OTHER]);
  expect(senders.of(SERIES)).toEqual({ sending: 0, releasedAt: 200 });
});

test("an association that sent to no series settles none", () => {
  const senders = new Senders();
  senders.sends(1, SERIES);
  expect(senders.ended(9, "released", 100)).toEqual([]);
});

test("a new association takes back what the release of the last one said", () => {
  const senders = new Senders();
  senders.sends(1, SERIES);
  senders.ended(1, "released", 100);
  senders.sends(2, SERIES);
  expect(senders.of(SERIES)).toEqual({ sending: 1 });
});

test("an abort is no evidence: neither its own, nor the release of one that sent at the same time", () => {
  const alone = new Senders();
  alone.sends(1, SERIES);
  expect(alone.ended(1, "aborted", 100)).toEqual([SERIES]);
  expect(alone.of(SERIES)).toEqual({ sending: 0 });

  const together = new Senders();
  together.sends(1, SERIES);
  together.sends(2, SERIES);
  together.ended(1, "aborted", 100);
  together.ended(2, "released", 200);
  expect(together.of(SERIES)).toEqual({ sending: 0 });
});

test("the association that sends again what an aborted one began counts as any other", () => {
  const senders = new Senders();
  senders.sends(1, SERIES);
  senders.ended(1, "aborted", 100);
  senders.sends(2, SERIES);
  senders.ended(2, "released", 200);
  expect(senders.of(SERIES)).toEqual({ sending: 0, releasedAt: 200 });
});

test("a series that was closed is forgotten, at the latest when nobody sends to it any more", () => {
  const senders = new Senders();
  senders.sends(1, SERIES);
  senders.forget(SERIES);
  expect(senders.of(SERIES)).toEqual({ sending: 1 });
  expect(senders.ended(1, "released", 100)).toEqual([]);
  expect(senders.of(SERIES)).toEqual({ sending: 0 });
  senders.sends(2, SERIES);
  senders.ended(2, "released", 200);
  senders.forget(SERIES);
  expect(senders.of(SERIES)).toEqual({ sending: 0 });
});

test("one that is sent to again after it was forgotten is known again", () => {
  const senders = new Senders();
  senders.sends(1, SERIES);
  senders.forget(SERIES);
  senders.sends(1, SERIES);
  expect(senders.ended(1, "released", 100)).toEqual([SERIES]);
});

/** A study as a PACS sends it, and when it would be judged complete: each look is one the node would make. */
function completions(
  associations: readonly { readonly images: number; readonly how: "released" | "aborted" }[],
  gapMs: number,
  stackOf: (instances: number) => Evidence["stack"],
): readonly (readonly [instances: number, reason: string])[] {
  const clock = new HandClock(0);
  const senders = new Senders();
  const found: (readonly [number, string])[] = [];
  let open: { openedAt: number; lastAt: number; instances: number } | undefined;
  let instances = 0;
  let look: Disposable | undefined;
  const lookNow = (): void => {
    if (!open) return;
    look?.[Symbol.dispose]();
    const stack = stackOf(instances);
    const decision = decide({ ...open, ...senders.of(SERIES), instances, stack }, SETTINGS, clock.now());
    if (decision.kind === "complete") {
      found.push([instances, decision.reason]);
      open = undefined;
      senders.forget(SERIES);
    } else look = clock.after(decision.until - clock.now(), lookNow);
  };
  for (const [id, { images, how }] of associations.entries()) {
    for (let image = 0; image < images; image++) {
      instances++;
      open = { openedAt: open?.openedAt ?? clock.now(), lastAt: clock.now(), instances };
      senders.sends(id, SERIES);
      clock.advance(100);
    }
    if (senders.ended(id, how, clock.now()).length > 0) lookNow();
    clock.advance(gapMs);
  }
  clock.advance(3_600_000);
  return found;
}

const forty = Array.from({ length: 40 }, () => ({ images: 10, how: "released" }) as const);

test("a study in forty associations of ten images, three seconds apart, is complete once", () => {
  expect(completions(forty, 3000, () => "gap-free")).toEqual([[400, "gap-free"]]);
});

test("a study in forty associations whose blocks do not touch is complete once", () => {
  const stack = (instances: number): Evidence["stack"] => (instances === 400 ? "gap-free" : "gaps");
  expect(completions(forty, 20_000, stack)).toEqual([[400, "gap-free"]]);
});

test("blocks further apart than the node waits are complete each time, none is passed over in silence", () => {
  const two = forty.slice(0, 2);
  expect(completions(two, 60_000, () => "gap-free")).toEqual([
    [10, "gap-free"],
    [20, "gap-free"],
  ]);
});

test("a study whose association was aborted is complete by quiet, and the rest that follows in time belongs to it", () => {
  const aborted = { images: 7, how: "aborted" } as const;
  expect(completions([aborted], 0, () => "gap-free")).toEqual([[7, "quiet-period"]]);
  expect(completions([aborted, { images: 3, how: "released" }], 20_000, () => "gap-free")).toEqual([
    [10, "gap-free"],
  ]);
});
