/**
 * What happened when, as bars of text. Pure.
 *
 *   bone        ░░░▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▒▏                       14.3 s
 *
 * ░ waits for its turn, ▓ the model has the study, ▒ the answer becomes a SEG, and ▏ the SEG has arrived.
 */

/** Milliseconds since the last image was sent; undefined: it never came to that. */
export interface Way {
  readonly model: string;
  /** From 1, where several series went to models. */
  readonly series?: number;
  /** How long the model itself takes, ms. */
  readonly serviceMs: number;
  /** Asked: the request went out. */
  readonly started: number | undefined;
  /** The answer had arrived and was understood. */
  readonly answered: number | undefined;
  /** The PACS had the SEG; or, where there is nothing to send, the node knew so. */
  readonly ended: number | undefined;
  readonly outcome: Outcome;
  /** Why it failed. */
  readonly reason?: string;
}

export type Outcome = "delivered" | "no finding" | "failed" | "missing";

export interface Style {
  /** Characters for the bar itself. */
  readonly width: number;
  readonly colour: boolean;
}

export interface Sums {
  /** What the models themselves take: added up, and the one that takes longest for all it is asked. */
  readonly sumMs: number;
  readonly slowestMs: number;
  /** Until the last SEG had arrived. */
  readonly totalMs: number;
}

const MARKS = { waiting: "░", asked: "▓", encoding: "▒", end: "▏" } as const;
const COLOURS: Readonly<Record<keyof typeof MARKS, number>> = {
  waiting: 90,
  asked: 36,
  encoding: 33,
  end: 32,
};

/** @param scaleMs  what the width of the bar stands for: the same for two timelines that are to be compared */
export function barsOf(ways: readonly Way[], scaleMs: number, style: Style): readonly string[] {
  const nameWidth = Math.max(...ways.map((way) => nameOf(way).length));
  return ways.map((way) => {
    const bar = barOf(way, scaleMs, style);
    const time = (way.ended === undefined ? "" : seconds(way.ended)).padStart(7);
    const remark = way.outcome === "delivered" ? "" : `  ${way.outcome}`;
    return `  ${nameOf(way).padEnd(nameWidth)}  ${bar} ${time}${remark}`.trimEnd();
  });
}

export function sumsOf(ways: readonly Way[]): Sums {
  const byModel = new Map<string, number>();
  for (const { model, serviceMs } of ways) byModel.set(model, (byModel.get(model) ?? 0) + serviceMs);
  const times = [...byModel.values()];
  return {
    sumMs: times.reduce((sum, ms) => sum + ms, 0),
    slowestMs: Math.max(0, ...times),
    totalMs: Math.max(0, ...ways.map(({ ended }) => ended ?? 0)),
  };
}

/** The comparison of the two runs, line by line. */
export function verdictOf(sequential: Sums, concurrent: Sums): readonly string[] {
  const faster = sequential.totalMs / concurrent.totalMs;
  const overhead = concurrent.totalMs - concurrent.slowestMs;
  const share = ((100 * overhead) / concurrent.slowestMs).toFixed(0);
  return [
    `one after another  ${seconds(sequential.totalMs).padStart(7)}   the models alone: ${seconds(sequential.sumMs)}, the sum`,
    `all at once        ${seconds(concurrent.totalMs).padStart(7)}   the slowest alone: ${seconds(concurrent.slowestMs)}, the maximum`,
    `faster             ${`${faster.toFixed(2)}×`.padStart(7)}   ${seconds(overhead)} (${share} %) over the slowest model`,
  ];
}

export function nameOf({ model, series }: Way): string {
  return series === undefined ? model : `${model} ${series}`;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function barOf({ started, answered, ended }: Way, scaleMs: number, { width, colour }: Style): string {
  const column = (ms: number): number => Math.min(width, Math.max(0, Math.round((ms / scaleMs) * width)));
  const last = ended ?? answered ?? started ?? 0;
  const asked = column(started ?? last);
  const done = Math.max(asked, column(answered ?? last));
  const end = Math.max(done, column(last));
  const piece = (mark: keyof typeof MARKS, length: number): string =>
    painted(mark, MARKS[mark].repeat(length), colour);
  const bar = piece("waiting", asked) + piece("asked", done - asked) + piece("encoding", end - done);
  return bar + (ended === undefined ? " " : piece("end", 1)) + " ".repeat(width - end);
}

function painted(mark: keyof typeof MARKS, text: string, colour: boolean): string {
  return colour && text !== "" ? `\u001b[${COLOURS[mark]}m${text}\u001b[0m` : text;
}
