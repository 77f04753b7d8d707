/**
 * The way of a study as bars: from its first image to each answer of a PACS. Pure.
 *
 *   images      ▇▇▇▇▇                          received
 *   bone              ░░▓▓▓▓▓▓▓▓▓▓▓▒▏          waited, model at work, made into a SEG, delivered
 *
 * Positions are percentages in attributes, so that the drawing needs neither a style nor a script and its text keeps
 * its size in every width.
 */
import type { RunStory, SeriesStory, StudyStory } from "../../ledger/story.ts";
import { type Html, html } from "./html.ts";
import { duration } from "./words.ts";

interface Piece {
  readonly kind: "images" | "waits" | "asks" | "encodes" | "delivers" | "fails" | "alone";
  /** Epoch ms. */
  readonly from: number;
  readonly to: number;
  /** It goes on, maybe for days: drawn only as far as there is room beside the rest. */
  readonly goesOn?: true;
}

interface Bar {
  readonly name: string;
  readonly pieces: readonly Piece[];
  /** What it says in words. */
  readonly text: string;
  /** Until its last piece ended, since the first image; of what is not over, undefined. */
  readonly endMs?: number;
}

export interface Gantt {
  readonly from: number;
  readonly to: number;
  readonly bars: readonly Bar[];
  /** Together and one after another, from the moment the series was complete; where two models or more answered. */
  readonly gain?: { readonly togetherMs: number; readonly oneByOneMs: number };
}

export function ganttOf({ summary, series }: StudyStory, now: number): Gantt {
  const from = summary.firstAt;
  const bars: Bar[] = [];
  let gain: Gantt["gain"];
  for (const [at, one] of series.entries()) {
    const current = one.runs.filter(({ revision }) => revision === one.revision);
    if (series.length > 1 && current.length === 0 && at > 3) continue; // scouts by the dozen say nothing
    bars.push(imagesBar(one, series.length > 1 ? `images ${at + 1}` : "images", from, now));
    for (const run of current) bars.push(runBar(run, from, now));
    const saved = gainOf(one, current);
    if (saved && saved.oneByOneMs > (gain?.oneByOneMs ?? 0)) gain = saved;
    if (saved && one.closedAt !== undefined)
      bars.push({
        name: "one by one",
        pieces: [{ kind: "alone", from: one.closedAt, to: one.closedAt + saved.oneByOneMs }],
        text: `One after another the models would have taken ${duration(saved.oneByOneMs)}`,
        endMs: one.closedAt + saved.oneByOneMs - from,
      });
  }
  const ends = bars.flatMap(({ pieces }) => pieces.filter(({ goesOn }) => !goesOn).map((piece) => piece.to));
  const settled = Math.max(from + 1, ...ends);
  const to = bars.some(({ pieces }) => pieces.some(({ goesOn }) => goesOn))
    ? Math.min(now, Math.round(settled + (settled - from) * ROOM))
    : settled;
  return {
    from,
    to: Math.max(to, settled),
    bars: bars.map((bar) => clipped(bar, to)),
    ...(gain && { gain }),
  };
}

/** Of the length of what is over, for what goes on. */
const ROOM = 0.15;

function clipped(bar: Bar, to: number): Bar {
  const pieces = bar.pieces.map((piece) =>
    piece.goesOn ? Object.assign({}, piece, { to: Math.min(piece.to, to) }) : piece,
  );
  return { name: bar.name, text: bar.text, pieces, ...(bar.endMs !== undefined && { endMs: bar.endMs }) };
}

function imagesBar(
  { firstAt, lastAt, closedAt, state, instances }: SeriesStory,
  name: string,
  from: number,
  now: number,
): Bar {
  const until = state === "open" ? now : (closedAt ?? lastAt);
  return {
    name,
    pieces: [
      { kind: "images", from: firstAt, to: lastAt },
      { kind: "waits", from: lastAt, to: until },
    ],
    text: `${instances} images in ${duration(lastAt - firstAt)}, judged complete ${duration(until - lastAt)} later`,
    ...(state === "closed" && { endMs: until - from }),
  };
}

function runBar(run: RunStory, from: number, now: number): Bar {
  const { model, state, createdAt, endedAt, deliveries } = run;
  const end = endedAt ?? now;
  const { encodeMs = 0 } = run.timings;
  const work = workMs(run);
  const asked = Math.max(createdAt, end - work);
  const answered = Math.max(asked, end - encodeMs);
  const isBad = state === "failed" || state === "quarantined" || state === "discarded";
  const arrived = Math.max(
    end,
    ...deliveries.map((one) => (one.state === "delivered" ? (one.endedAt ?? end) : end)),
  );
  const isOver = state !== "pending" && !deliveries.some((one) => one.state === "pending");
  const delivered = isOver ? Math.max(arrived, ...deliveries.map((one) => one.endedAt ?? end)) : arrived;
  const pieces: readonly Piece[] =
    work > 0
      ? [
          { kind: "waits", from: createdAt, to: asked },
          { kind: "asks", from: asked, to: answered },
          { kind: "encodes", from: answered, to: end },
          { kind: "delivers", from: end, to: arrived },
          isOver
            ? { kind: "waits", from: arrived, to: delivered }
            : { kind: "waits", from: arrived, to: now, goesOn: true },
        ]
      : [{ kind: isBad ? "fails" : state === "pending" ? "waits" : "asks", from: createdAt, to: end }];
  return {
    name: model,
    pieces,
    text:
      work > 0
        ? `${model}: waited ${duration(asked - createdAt)}, answered in ${duration(answered - asked)}, made into a segmentation in ${duration(end - answered)}, delivered ${duration(delivered - end)} later`
        : `${model}: ${state} after ${duration(end - createdAt)}`,
    ...(isOver && { endMs: delivered - from }),
  };
}

/** From the question to the segmentation. */
function workMs({ timings }: RunStory): number {
  const { sendMs = 0, serverMs = 0, decodeMs = 0, encodeMs = 0 } = timings;
  return sendMs + serverMs + decodeMs + encodeMs;
}

function gainOf({ closedAt }: SeriesStory, runs: readonly RunStory[]): Gantt["gain"] {
  const answered = runs.filter((run) => run.state === "done" && workMs(run) > 0);
  if (closedAt === undefined || answered.length < 2) return undefined;
  return {
    togetherMs: Math.max(...answered.map(({ endedAt = closedAt }) => endedAt - closedAt)),
    oneByOneMs: answered.reduce((sum, run) => sum + workMs(run), 0),
  };
}

/** Steps of the scale that a person can read, ms. */
const STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400, 604_800,
].map((seconds) => seconds * 1000);

export function drawn({ from, to, bars, gain }: Gantt): Html {
  const span = to - from;
  const step = STEPS.find((ms) => span / ms <= 5) ?? span;
  const ticks = Array.from({ length: Math.floor(span / step) + 1 }, (_, at) => at * step);
  const percent = (ms: number): string => `${((100 * ms) / span).toFixed(2)}%`;
  return html`<div class="gantt">
${bars.map(
  ({ name, pieces, text, endMs }) => html`<div class="bar">
<span class="name" title="${name}">${name}</span>
<svg role="img" aria-label="${text}" width="100%" height="20"><title>${text}</title>
<g class="grid">${ticks.map((ms) => html`<line x1="${percent(ms)}" x2="${percent(ms)}" y1="0" y2="20"/>`)}</g>
${pieces
  .filter((piece) => piece.to > piece.from)
  .map(
    (piece) =>
      html`<rect class="${piece.kind}" x="${percent(piece.from - from)}" width="${percent(Math.max(piece.to - piece.from, span / 400))}" y="4" height="12" rx="3"/>`,
  )}</svg>
<span class="took">${endMs === undefined ? "…" : duration(endMs)}</span>
</div>`,
)}
<div class="bar scale" aria-hidden="true"><span></span><svg width="100%" height="16">${ticks.map(
    (ms, at) =>
      html`<text x="${percent(ms)}" y="12" text-anchor="${at === 0 ? "start" : ms > span * 0.95 ? "end" : "middle"}">${at === 0 ? "0" : duration(ms)}</text>`,
  )}</svg><span></span></div>
</div>
<ul class="legend" aria-hidden="true">${(
    [
      ["images", "images arrive"],
      ["waits", "waits"],
      ["asks", "model at work"],
      ["encodes", "made into a SEG"],
      ["delivers", "on its way to the PACS"],
      ...(gain ? [["alone", "one model after another"]] : []),
    ] as const
  ).map(
    ([kind, text]) =>
      html`<li><svg width="12" height="12"><rect class="${kind ?? ""}" width="12" height="12" rx="3"/></svg>${text}</li>`,
  )}</ul>
${
  gain &&
  html`<p class="gain">All models answered <strong>${duration(gain.togetherMs)}</strong> after the series was complete. One after another they would have taken <strong>${duration(gain.oneByOneMs)}</strong>${
    gain.togetherMs > 0 && gain.oneByOneMs > gain.togetherMs
      ? html`: <strong>${(gain.oneByOneMs / gain.togetherMs).toFixed(1)} times</strong> as long.`
      : "."
  }</p>`
}`;
}
