/**
 * The demo's result as one file that needs nothing else: both timelines, and the segments over the slices. Pure, but
 * for the style of the node's pages, which is read.
 */
import { readFile } from "node:fs/promises";
import { drawn, ganttOf } from "../ops/pages/gantt.ts";
import { Html, html } from "../ops/pages/html.ts";
import { duration } from "../ops/pages/words.ts";
import type { Gantt, Overlay, Snapshot } from "./snapshot.ts";

export interface ReportPage {
  readonly sequential: Snapshot;
  readonly concurrent: Snapshot;
  readonly overlay: Overlay | undefined;
}

const STYLE = new URL("../ops/pages/assets/style.css", import.meta.url);
/** The file is opened by itself, so this may stand in it; the node's own pages hold no script. */
const SCRIPT = `const [range, images] = [document.querySelector("input"), document.querySelectorAll(".flip img")];
const show = () => images.forEach((image, at) => { image.hidden = at !== Number(range.value); });
if (range) { range.addEventListener("input", show); show(); }`;
const OWN_STYLE = `.flip { background: #000; border-radius: 8px; display: grid; place-items: center; }
.flip img { width: min(100%, 72vh); display: block; image-rendering: auto; }
.flip img[hidden] { display: none; }
.tiles.two { grid-template-columns: 1fr; }
h1 strong { color: var(--accent); }
footer { color: var(--faint); margin: 24px 0 48px; font-size: 0.9rem; }`;

export async function reportPage({ sequential, concurrent, overlay }: ReportPage): Promise<string> {
  const [one, all] = [
    ganttOf(sequential.story, sequential.takenAt),
    ganttOf(concurrent.story, concurrent.takenAt),
  ];
  const [slow, fast] = [lengthOf(one), lengthOf(all)];
  // Side by side they must have the same scale.
  const to = Math.max(slow, fast, 1);
  const page = html`<html lang="en">
<head>
<meta charset="utf-8">
<title>Isocenter: one study, two ways</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>${new Html(await readFile(STYLE, "utf8"))}${new Html(OWN_STYLE)}</style>
</head>
<body>
<main class="wide">
<h1>The same study, the same models: <strong>${duration(slow)}</strong> one after another, <strong>${duration(fast)}</strong> at once</h1>
<section><h2>One after another</h2><div class="card">${drawn(scaled(one, to))}</div></section>
<section><h2>All at once</h2><div class="card">${drawn(scaled(all, to))}</div></section>
${overlay && picture(overlay)}
<footer>Made by <code>isocenter demo</code>. The models are stand-ins: they segment by classical rules and wait as if they had a graphics card. Not for clinical use.</footer>
</main>
<script type="module">${new Html(SCRIPT)}</script>
</body>
</html>`;
  return `<!doctype html>\n${String(page)}\n`;
}

/** Until the last result was delivered, from the first image. */
function lengthOf({ bars }: Gantt): number {
  return Math.max(0, ...bars.filter(({ name }) => name !== "one by one").map(({ endMs = 0 }) => endMs));
}

function scaled({ from, bars }: Gantt, span: number): Gantt {
  return { from, to: from + span, bars: bars.filter(({ name }) => name !== "one by one") };
}

function picture({ images, segments }: Overlay): Html {
  const middle = Math.floor(images.length / 2);
  return html`<section><h2>What arrived in the PACS, over the images</h2><div class="card"><div class="picture">
<div class="flip">${images.map(
    (image, at) =>
      html`<img alt="Slice ${at + 1} of ${images.length} with its segments" src="data:image/png;base64,${Buffer.from(image).toString("base64")}"${at !== middle && html` hidden`}>`,
  )}</div>
<div class="side"><label class="range">Slice <input type="range" min="0" max="${images.length - 1}" value="${middle}"></label>
<ul>${segments.map(
    ({ label, color }) =>
      html`<li><label><svg class="swatch" width="14" height="14" aria-hidden="true"><rect width="14" height="14" rx="3" fill="rgb(${color.join(",")})"/></svg>${label}</label></li>`,
  )}</ul></div>
</div></div></section>`;
}
