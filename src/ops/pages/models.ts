/** The page of the models: what waits for each, how fast it answers, how its last runs went. Pure. */
import type { ModelTraffic } from "../../ledger/traffic.ts";
import type { ModelFacts } from "../desk.ts";
import { type Html, html } from "./html.ts";
import { type Around, page } from "./layout.ts";
import { counted, duration, moment, nameOf } from "./words.ts";

export function modelsPage(around: Around, models: readonly (ModelFacts & ModelTraffic)[]): string {
  return page(around, {
    title: "Models",
    at: "models",
    live: html`<h1>Models</h1>
${models.length === 0 ? html`<div class="empty"><p>The config has no model.</p></div>` : html`<ul class="tiles">${models.map((model) => tile(model, around.now))}</ul>`}`,
  });
}

function tile(model: ModelFacts & ModelTraffic, now: number): Html {
  const { name, version, host, slots, waiting, running, outcomes, serverMs, lastFailure } = model;
  const ended = Object.values(outcomes).reduce((sum, count) => sum + count, 0);
  const places = Object.entries(slots).map(([resource, count]) => `${count} of ${resource}`);
  return html`<li class="card tile">
<h2>${name} <small>${version}</small></h2>
<p class="faint">${host}</p>
<dl class="numbers">
<div><dt>waiting</dt><dd>${waiting}</dd></div>
<div><dt>at work</dt><dd>${running}</dd></div>
<div><dt>median answer</dt><dd>${serverMs ? duration(serverMs.median) : "–"}</dd></div>
<div><dt>slowest</dt><dd>${serverMs ? duration(serverMs.slowest) : "–"}</dd></div>
</dl>
${
  ended > 0 &&
  html`${share(outcomes, ended)}<p class="faint">Last ${counted(ended, "run")}: ${Object.entries(outcomes)
    .map(([state, count]) => `${count} ${nameOf(state)}`)
    .join(", ")}</p>`
}
<p class="faint">One inference takes ${places.length > 0 ? places.join(", ") : "a place of its own"}.</p>
${lastFailure && html`<p class="why">${moment(lastFailure.at, now)}: ${lastFailure.code !== undefined && html`<code>${lastFailure.code}</code> `}${lastFailure.reason}</p>`}
</li>`;
}

/** A stripe: how many of the last runs ended how. */
function share(outcomes: Readonly<Record<string, number>>, all: number): Html {
  let from = 0;
  const pieces = Object.entries(outcomes).map(([state, count]) => {
    const piece = html`<rect class="${state}" x="${((100 * from) / all).toFixed(2)}%" width="${((100 * count) / all).toFixed(2)}%" height="8"/>`;
    from += count;
    return piece;
  });
  return html`<svg class="stripe" width="100%" height="8" aria-hidden="true">${pieces}</svg>`;
}
