/**
 * A hall of machines in simulated time: the scheduler decides, work takes exactly as long as it is told to.
 *
 * Every step is held against what must never be: more places taken than there are, work begun twice or before what
 * it needs, a time at which nothing runs although something waits.
 */
import { expect } from "vitest";
import {
  type Capacities,
  type Event,
  NOTHING,
  next,
  type Request,
  type Start,
} from "../../src/inference/schedule.ts";

export interface Task {
  readonly request: Request;
  readonly arrivesAt: number;
  /** How long it really takes. */
  readonly takesMs: number;
  /** Arrives when these have ended too. */
  readonly needs?: readonly number[];
}

export interface Ran extends Start {
  readonly at: number;
  readonly until: number;
}

interface Due {
  readonly at: number;
  readonly event: Event;
}

export function simulate(capacities: Capacities, tasks: readonly Task[]): readonly Ran[] {
  const byId = new Map(tasks.map((task) => [task.request.id, task]));
  const ended = new Set<number>();
  const arrived = new Set<number>();
  const ran: Ran[] = [];
  const due: Due[] = [];
  let state = NOTHING;

  const release = (now: number): void => {
    for (const { request, arrivesAt, needs = [] } of tasks) {
      if (arrived.has(request.id) || !needs.every((id) => ended.has(id))) continue;
      arrived.add(request.id);
      due.push({ at: Math.max(now, arrivesAt), event: { kind: "arrived", request } });
    }
  };
  release(0);
  for (let steps = 0; due.length > 0; steps += 1) {
    if (steps > 100_000) throw new Error("the simulation does not end");
    due.sort((a, b) => a.at - b.at);
    const { at, event } = due.shift()!;
    const decided = next(capacities, state, event, at);
    state = decided.state;
    if (event.kind === "ended") {
      ended.add(event.id);
      release(at);
    }
    if (decided.lookAt !== undefined) {
      expect(decided.lookAt).toBeGreaterThan(at);
      due.push({ at: decided.lookAt, event: { kind: "looked" } });
    }
    for (const start of decided.starts) {
      const task = byId.get(start.id)!;
      const until = at + task.takesMs;
      ran.push({ ...start, at, until });
      due.push({ at: until, event: { kind: "ended", id: start.id, replica: start.seat.replica } });
    }
    if (state.waiting.length > 0) expect(state.running.length).toBeGreaterThan(0);
    withinCapacity(capacities, ran, byId, at);
  }
  expect(new Set(ran.filter(({ hedge }) => !hedge).map(({ id }) => id)).size).toBe(tasks.length);
  expect(ran.filter(({ hedge }) => !hedge)).toHaveLength(tasks.length);
  return ran;
}

function withinCapacity(
  capacities: Capacities,
  ran: readonly Ran[],
  byId: ReadonlyMap<number, Task>,
  now: number,
): void {
  const running = ran.filter(({ at, until }) => at <= now && now < until);
  for (const [name, { places, stat }] of capacities) {
    const taken = (among: readonly Ran[]): number =>
      among.reduce((sum, { seat }) => sum + (seat.places[name] ?? 0), 0);
    expect(taken(running)).toBeLessThanOrEqual(places);
    expect(taken(running.filter(({ id }) => !byId.get(id)!.request.stat))).toBeLessThanOrEqual(places - stat);
  }
}

export function makespan(ran: readonly Ran[]): number {
  return Math.max(0, ...ran.map(({ until }) => until));
}

/**
 * The shortest possible makespan of tasks that are all there at 0: every order of them, each begun as soon as it
 * fits behind those before it. Among these is an optimal one, as any schedule without needless waiting is the
 * list schedule of its own starting order.
 */
export function optimum(capacities: Capacities, tasks: readonly Task[]): number {
  let best = Infinity;
  const place = (done: readonly Ran[], left: readonly Task[]): void => {
    if (makespan(done) >= best) return;
    if (left.length === 0) {
      best = makespan(done);
      return;
    }
    for (const task of left) {
      const needs = task.needs ?? [];
      if (!needs.every((id) => done.some((ran) => ran.id === id))) continue;
      const ready = Math.max(0, ...done.filter(({ id }) => needs.includes(id)).map(({ until }) => until));
      const rest = left.filter((other) => other !== task);
      for (const seat of task.request.seats) {
        const at = firstFit(capacities, done, { task, seat, ready });
        place([...done, { id: task.request.id, seat, hedge: false, at, until: at + task.takesMs }], rest);
      }
    }
  };
  place([], tasks);
  return best;
}

function firstFit(
  capacities: Capacities,
  done: readonly Ran[],
  { task, seat, ready }: { readonly task: Task; readonly seat: Start["seat"]; readonly ready: number },
): number {
  const times = [ready, ...done.map(({ until }) => until).filter((until) => until > ready)];
  const fits = (from: number): boolean => {
    const within = [from, ...done.map(({ at }) => at).filter((at) => at > from && at < from + task.takesMs)];
    return within.every((time) =>
      Object.entries(seat.places).every(([name, count]) => {
        const taken = done
          .filter(({ at, until }) => at <= time && time < until)
          .reduce((sum, other) => sum + (other.seat.places[name] ?? 0), 0);
        return taken + count <= (capacities.get(name)?.places ?? 0);
      }),
    );
  };
  return times.toSorted((a, b) => a - b).find(fits) ?? ready;
}
