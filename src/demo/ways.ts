/**
 * From the node's log to the way of each model's answer. Pure.
 *
 * In:   the events of one run of the node, and what is known besides.
 * Out:  whether everything has come to an end; and what happened when.
 */
import type { NodeEvent } from "./processes.ts";
import { nameOf, type Outcome, type Way } from "./timeline.ts";

export interface Progress {
  /** Every series was judged, and every run that follows from that has ended. */
  readonly isSettled: boolean;
  readonly ended: number;
  readonly expected: number;
}

/** After these a run goes no further by itself. */
const ENDS: Readonly<Record<string, Outcome>> = {
  "delivery.done": "delivered",
  "delivery.held": "failed",
  "run.no-finding": "no finding",
  "run.ended": "failed",
};
const JUDGED = new Set(["series.assigned", "series.kept-out", "series.no-rule"]);

/** @param series  UIDs of those that were sent */
export function progressOf(events: readonly NodeEvent[], series: readonly string[]): Progress {
  const models = new Map<unknown, number>();
  for (const event of events) {
    if (!JUDGED.has(event.event)) continue;
    models.set(event.seriesUid, event.event === "series.assigned" ? (event.count ?? 0) : 0);
  }
  const expected = [...models.values()].reduce((sum, count) => sum + count, 0);
  const ended = new Set(events.filter(({ event }) => event in ENDS).map(runOf)).size;
  const isSettled = series.every((uid) => models.has(uid)) && ended >= expected;
  return { isSettled, ended, expected };
}

/** What the node judged of the series that no model is to see. */
export function keptOut(events: readonly NodeEvent[]): readonly string[] {
  return events
    .filter(({ event }) => event === "series.kept-out" || event === "series.no-rule")
    .map((event) => event.reason ?? "no rule applies");
}

/** What is known besides the events. */
export interface Known {
  /** When the last image had been sent, ms since 1970. */
  readonly sentAt: number;
  /** SOP Instance UIDs that the PACS has. */
  readonly received: ReadonlySet<string>;
  /** How long each model takes, ms. */
  readonly serviceMs: ReadonlyMap<string, number>;
}

export function waysOf(events: readonly NodeEvent[], known: Known): readonly Way[] {
  const runs = Map.groupBy(
    events.filter((event) => event.model !== undefined),
    runOf,
  );
  const series = [...new Set([...runs.values()].map((run) => run[0]?.seriesUid))];
  const ordinal = (run: readonly NodeEvent[]): Pick<Way, "series"> =>
    series.length > 1 ? { series: series.indexOf(run[0]?.seriesUid) + 1 } : {};
  return [...runs.values()]
    .map((run) => Object.assign(wayOf(run, known), ordinal(run)))
    .sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
}

function wayOf(run: readonly NodeEvent[], { sentAt, received, serviceMs }: Known): Way {
  const last = (name: string): NodeEvent | undefined => run.findLast(({ event }) => event === name);
  const since = (event: NodeEvent | undefined): number | undefined =>
    event && Date.parse(event.time) - sentAt;
  const model = run[0]?.model ?? "";
  const end = run.findLast(({ event }) => event in ENDS);
  const outcome = end ? ENDS[end.event]! : "missing";
  const isThere = outcome !== "delivered" || received.has(end?.sopInstanceUid ?? "");
  return {
    model,
    serviceMs: serviceMs.get(model) ?? 0,
    started: since(last("inference.started")),
    answered: since(last("inference.done")),
    ended: isThere ? since(end) : undefined,
    outcome: isThere ? outcome : "missing",
    ...(outcome === "failed" && { reason: end?.reason ?? "no reason given" }),
  };
}

function runOf(event: NodeEvent): string {
  return `${event.seriesUid} ${event.model}`;
}
