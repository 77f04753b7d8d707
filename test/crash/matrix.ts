/**
 * The crash matrix: every flush, rename, removal and send of one study, and the node killed at each of them.
 *
 * Points come from the trace of an undisturbed run. Recovery has points of its own: the node is killed in the middle
 * of its work, and a second time at each call of the start that follows.
 */
import { dirname, relative } from "node:path";
import { callsOf, lies } from "./trace.ts";
import { type Outcome, type Plan, type Point, trial, undisturbed } from "./trial.ts";

export interface Matrix {
  /** What the undisturbed run got wrong. */
  readonly violations: readonly string[];
  readonly plans: readonly Plan[];
  readonly expected: ReadonlyMap<string, ReadonlySet<string>>;
}

const CALLS = new Set(["fsync", "fdatasync", "rename", "unlink"]);
/** Where a second start finds something: an image half there, results half there. */
const MIDDLES: readonly Point[] = [
  { kind: "call", call: "fdatasync", nth: 10 },
  { kind: "call", call: "rename", nth: 2 },
];
/** Calls of a start, before it listens. */
const START_CALLS: readonly Point[] = [
  ...Array.from({ length: 6 }, (_, at): Point => ({ kind: "call", call: "fsync", nth: at + 1 })),
  ...Array.from({ length: 3 }, (_, at): Point => ({ kind: "call", call: "unlink", nth: at + 1 })),
];

export async function matrixOf(root: string): Promise<Matrix> {
  const run = await undisturbed(root);
  const calls = callsOf(run.trace);
  const most = new Map<string, { readonly call: string; readonly path?: string; nth: number }>();
  const byThread = new Map<string, number>();
  for (const { name, path, thread } of calls) {
    if (!CALLS.has(name)) continue;
    // A file with a random name has no other in the next run; a folder and the ledger have.
    const isNamed =
      name === "fsync" && (path.startsWith(`${run.dataFolder}/ledger`) || isFolder(path, run.dataFolder));
    const key = isNamed ? `${name} ${relative(run.dataFolder, path)}` : name;
    const nth = (byThread.get(`${thread} ${key}`) ?? 0) + 1;
    byThread.set(`${thread} ${key}`, nth);
    const known = most.get(key);
    if (known) known.nth = Math.max(known.nth, nth);
    else most.set(key, { call: name, ...(isNamed && { path: relative(run.dataFolder, path) }), nth });
  }
  const plans: Plan[] = [];
  for (const { call, path, nth } of most.values()) {
    for (let at = 1; at <= nth; at++)
      plans.push([{ kind: "call", call, nth: at, ...(path !== undefined && { path }) }]);
  }
  for (let at = 1; at <= run.sends; at++) {
    plans.push([{ kind: "send", nth: at, arrives: false }], [{ kind: "send", nth: at, arrives: true }]);
  }
  for (const middle of MIDDLES) for (const point of START_CALLS) plans.push([middle, point]);
  return {
    violations: [...run.violations, ...lies(calls, run)],
    plans,
    expected: run.results,
  };
}

function isFolder(path: string, dataFolder: string): boolean {
  return [dirname(dataFolder), dataFolder, `${dataFolder}/instances`, `${dataFolder}/results`].includes(path);
}

interface Failure {
  readonly plan: Plan;
  readonly violations: readonly string[];
}

export interface Report {
  readonly trials: number;
  /** Trials in which the kill happened; a point after the end of the work does not come. */
  readonly killed: number;
  readonly slowestStartMs: number;
  readonly failures: readonly Failure[];
}

/** @param options.atOnce  trials side by side; most of a trial is waiting */
export async function runTrials(
  plans: readonly Plan[],
  options: {
    readonly root: string;
    readonly expected: Matrix["expected"];
    readonly atOnce: number;
    readonly onTrial?: (plan: Plan, outcome: Outcome) => void;
  },
): Promise<Report> {
  const waiting = [...plans];
  const failures: Failure[] = [];
  let killed = 0;
  let slowestStartMs = 0;
  const worker = async (): Promise<void> => {
    for (let plan = waiting.shift(); plan; plan = waiting.shift()) {
      const outcome = await trial(plan, options);
      options.onTrial?.(plan, outcome);
      if (outcome.kills > 0) killed++;
      slowestStartMs = Math.max(slowestStartMs, outcome.slowestStartMs);
      if (outcome.violations.length > 0) failures.push({ plan, violations: outcome.violations });
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker));
  return { trials: plans.length, killed, slowestStartMs, failures };
}

export function kindOf(plan: Plan): string {
  const [point, second] = plan;
  if (second) return "recovery";
  if (point?.kind === "send") return point.arrives ? "send, arrived" : "send, lost";
  return point ? `${point.call} ${point.path ?? ""}`.trim() : "undisturbed";
}

/** Some of each kind: `count` in all, evenly over the kinds, chosen by `random`. */
export function sampled(plans: readonly Plan[], count: number, random: () => number): readonly Plan[] {
  const kinds = Map.groupBy(
    plans.map((plan) => ({ plan, order: random() })).sort((a, b) => a.order - b.order),
    ({ plan }) => kindOf(plan),
  );
  const chosen: Plan[] = [];
  for (let round = 0; chosen.length < Math.min(count, plans.length); round++) {
    for (const [, of] of kinds) {
      const next = of[round];
      if (next && chosen.length < count) chosen.push(next.plan);
    }
  }
  return chosen;
}
