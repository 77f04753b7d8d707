/** The page of the destinations: what waits for each, what it said last; pausing and resuming. Pure. */
import type { DestinationTraffic } from "../../ledger/traffic.ts";
import type { DestinationFacts } from "../desk.ts";
import { type Html, html } from "./html.ts";
import { type Around, page } from "./layout.ts";
import { orderButton } from "./order.ts";
import { moment, pill } from "./words.ts";

type Destination = DestinationFacts & DestinationTraffic;

export function destinationsPage(around: Around, destinations: readonly Destination[]): string {
  return page(around, {
    title: "Destinations",
    at: "destinations",
    live: html`<h1>Destinations</h1>
${destinations.length === 0 ? html`<div class="empty"><p>The config has no destination.</p></div>` : html`<ul class="tiles">${destinations.map((one) => tile(one, around))}</ul>`}`,
  });
}

function tile(destination: Destination, { now, caller }: Around): Html {
  const { name, aeTitle, host, port, isPaused, pending, held, oldestAt, lastDeliveredAt, lastFailure } =
    destination;
  const path = `/api/v1/destinations/${encodeURIComponent(name)}`;
  return html`<li class="card tile">
<div class="head"><h2>${name}</h2>${isPaused && pill("paused")}
${
  caller?.role === "operator" &&
  html`<div class="actions">${
    isPaused
      ? orderButton(`${path}/resume`, "Resume", name, "/destinations")
      : orderButton(`${path}/pause`, "Pause", name, "/destinations", true)
  }</div>`
}</div>
<p class="faint">${aeTitle} at ${host}:${port}</p>
<dl class="numbers">
<div><dt>waiting</dt><dd>${pending}</dd></div>
<div><dt>held</dt><dd>${held > 0 ? html`<a class="bad" href="/?${new URLSearchParams({ state: "attention", destination: name }).toString()}">${held}</a>` : 0}</dd></div>
<div><dt>oldest</dt><dd>${oldestAt === undefined ? "–" : moment(oldestAt, now)}</dd></div>
<div><dt>last delivered</dt><dd>${lastDeliveredAt === undefined ? "–" : moment(lastDeliveredAt, now)}</dd></div>
</dl>
${isPaused && html`<p class="why">Somebody paused it. Results wait here until it is resumed.</p>`}
${lastFailure && html`<p class="why">${lastFailure.code !== undefined && html`<code>${lastFailure.code}</code> `}${lastFailure.reason}</p>`}
</li>`;
}
