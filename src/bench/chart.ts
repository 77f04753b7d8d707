/** The timelines of a bench as one SVG: a panel for each way, a bar for each model. Pure. */
import type { BenchModel } from "./scenario.ts";
import type { Asked } from "./way.ts";

interface Panel {
  readonly title: string;
  readonly asked: readonly Asked[];
  readonly makespanMs: number;
}

export interface Chart {
  readonly title: string;
  readonly models: readonly BenchModel[];
  readonly optimumMs: number;
  readonly panels: readonly Panel[];
}

const WIDTH = 960;
const LEFT = 110;
const RIGHT = 70;
const ROW = 20;
const GAP = 34;
const COLOURS = ["#2f6f9f", "#c9772b", "#4c8c4a", "#8a5a9e", "#9f3b3b", "#5f6b73"];

export function svgOf(charts: readonly Chart[]): string {
  const parts: string[] = [];
  let top = 10;
  for (const chart of charts) {
    const latest = Math.max(chart.optimumMs, ...chart.panels.map(({ makespanMs }) => makespanMs));
    const x = (ms: number): number => Math.round(LEFT + (ms / latest) * (WIDTH - LEFT - RIGHT));
    parts.push(text(10, top + 20, chart.title, "font-weight:bold"));
    top += 36;
    for (const { title, asked, makespanMs } of chart.panels) {
      parts.push(text(10, top + 12, `${title}, ${seconds(makespanMs)}`));
      top += 18;
      const height = asked.length * ROW;
      asked.forEach(({ model, from, until }, row) => {
        const y = top + row * ROW;
        const colour = COLOURS[chart.models.findIndex(({ name }) => name === model) % COLOURS.length];
        parts.push(text(LEFT - 8, y + 14, model, "text-anchor:end"));
        parts.push(
          `<rect x="${x(from)}" y="${y + 2}" width="${Math.max(1, x(until) - x(from))}" height="${ROW - 5}" rx="2" fill="${colour}"/>`,
        );
        parts.push(text(x(until) + 5, y + 14, seconds(until)));
      });
      const best = x(chart.optimumMs);
      parts.push(
        `<line x1="${best}" y1="${top}" x2="${best}" y2="${top + height}" stroke="#111" stroke-dasharray="3 3"/>`,
      );
      top += height + GAP - 18;
    }
  }
  const style = "font:12px system-ui,sans-serif;background:#fff";
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" style="${style}">\n${parts.join("\n")}\n</svg>\n`;
}

function text(x: number, y: number, words: string, style = ""): string {
  const safe = words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}"${style && ` style="${style}"`}>${safe}</text>`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
