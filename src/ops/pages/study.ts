/** The page of one study: its way, its series, runs and deliveries, and what can be done about them. Pure. */
import type { DeliveryStory, RunStory, SeriesStory, StudyStory } from "../../ledger/story.ts";
import { drawn, ganttOf } from "./gantt.ts";
import { type Html, html, type Part } from "./html.ts";
import { type Around, page } from "./layout.ts";
import { orderButton } from "./order.ts";
import { bytes, counted, duration, exact, moment, nameOf, pill, statusText } from "./words.ts";

/** @param picture  of its results, if there is one to show */
export function studyPage(around: Around, story: StudyStory, picture: Html | undefined): string {
  const { summary, series } = story;
  const { studyUid, firstAt, lastAt } = summary;
  return page(around, {
    title: `Study ${studyUid}`,
    at: "studies",
    study: studyUid,
    live: html`<p class="crumb"><a href="/">Studies</a></p>
<h1 class="uid">${studyUid}</h1>
<p class="lead">${pill(summary.state)} <span>${counted(summary.instances, "image")} in ${counted(summary.series, "series", "series")}</span> <span>first ${moment(firstAt, around.now)}</span> <span>newest ${moment(lastAt, around.now)}</span></p>
<section aria-labelledby="way"><h2 id="way">Its way</h2><div class="card">${drawn(ganttOf(story, around.now))}</div></section>
<section aria-labelledby="series"><h2 id="series">Series, and what was decided</h2>${series.map((one, at) => seriesCard(one, at, around, `/studies/${studyUid}`))}</section>`,
    ...(picture && { fixed: picture, scripts: ["picture.js"] }),
  });
}

/** Why a series was judged complete, for people; the codes are of the assembly. */
const COMPLETE: Readonly<Record<string, string>> = {
  "announced-count": "all images that were announced have come",
  "gap-free": "the sender hung up and the stack has no gap",
  "quiet-period": "no image came for the quiet period",
  "maximum-wait": "the longest wait was over",
};

function seriesCard(series: SeriesStory, at: number, around: Around, back: string): Html {
  const { seriesUid, modality, instances, unused, senders, closedAt, reason, outcome, outcomeReason } =
    series;
  const isOpen = series.state === "open";
  const from = senders.map(({ callingAeTitle, peer }) => `${callingAeTitle} (${peer})`).join(", ");
  const facts: readonly (readonly [string, Part])[] = [
    [
      "Images",
      html`${counted(instances, "image")}, ${bytes(series.bytes)}${unused > 0 && `; ${unused} more kept, not used`}`,
    ],
    ["From", from],
    [
      "Complete",
      isOpen
        ? "not yet: more images may come"
        : html`${COMPLETE[reason ?? ""] ?? reason ?? ""} <span class="faint">${closedAt !== undefined && exact(closedAt)}${series.revision > 1 && `, revision ${series.revision}`}</span>`,
    ],
    ...(isOpen ? [] : [["Rule", decision(outcome, outcomeReason)] as const]),
  ];
  const current = series.runs.filter(({ revision }) => revision === series.revision);
  const earlier = series.runs.filter(({ revision }) => revision !== series.revision);
  return html`<article class="card" aria-labelledby="series-${at}">
<h3 id="series-${at}">${modality !== undefined && html`<span class="tag">${modality}</span> `}<span class="uid">${seriesUid}</span></h3>
<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${current.length > 0 && html`<ul class="runs">${current.map((run) => runItem(run, around, back))}</ul>`}
${
  earlier.length > 0 &&
  html`<details id="earlier-${at}"><summary>${counted(earlier.length, "run")} of earlier revisions</summary><ul class="runs">${earlier.map((run) => runItem(run, around, back))}</ul></details>`
}
</article>`;
}

function decision(outcome: string | undefined, why: string | undefined): Html {
  if (outcome === "assigned") return html`“${why ?? ""}” applies`;
  return html`${outcome === "no-rule" ? "no rule applies" : "kept out"}: ${why ?? ""}`;
}

function runItem(run: RunStory, around: Around, back: string): Html {
  const { id, model, modelVersion, state, code, reason, deliveries, results, timings, priority } = run;
  const { serverMs, queuedMs, encodeMs, attempts = 1 } = timings;
  const times = [
    ...(queuedMs === undefined ? [] : [`waited ${duration(queuedMs)} for its place`]),
    ...(serverMs === undefined ? [] : [`answered in ${duration(serverMs)}`]),
    ...(encodeMs === undefined ? [] : [`made into a SEG in ${duration(encodeMs)}`]),
    ...(attempts > 1 ? [`${attempts} tries`] : []),
  ];
  const canRetry = state === "failed" || state === "quarantined" || state === "discarded";
  return html`<li class="run" id="run-${id}">
<div class="head"><h4>${model} <small>${modelVersion}</small></h4>${priority > 0 && html`<span class="tag">STAT</span>`}${pill(state)}
${canRetry && actions(around, html`${orderButton(`/api/v1/runs/${id}/retry`, "Ask again", `the model ${model}`, back)}${state !== "discarded" && orderButton(`/api/v1/runs/${id}/discard`, "Discard", `the run of ${model}`, back, true)}`)}</div>
${code !== undefined && html`<p class="why"><code>${code}</code> ${reason ?? ""}</p>`}
${run.next && !run.next.isRunning && run.next.at > around.now + 1000 && html`<p class="why">It is tried again in ${duration(run.next.at - around.now)}.</p>`}
${times.length > 0 && html`<p class="faint">${times.join(" · ")}</p>`}
${results.length > 0 && html`<p class="faint">${[...new Map(results.map((one) => [one.sopInstanceUid, one])).values()].map((one) => html`<span class="object">${one.form} segmentation${one.part > 1 && `, part ${one.part}`}, ${bytes(one.bytes)}, <span class="uid">${one.sopInstanceUid}</span></span> `)}</p>`}
${deliveries.length > 0 && html`<ul class="deliveries">${deliveries.map((one) => deliveryItem(one, around, back))}</ul>`}
</li>`;
}

/** Storage Commitment, PS3.4 annex J. */
const COMMITMENT = {
  waiting: "asked to commit",
  committed: "committed to keep it",
  refused: "did not commit to keep it",
  unknown: "never said whether it keeps it",
} as const;

function deliveryItem(delivery: DeliveryStory, around: Around, back: string): Html {
  const { id, destination, state, tries, status, reason, endedAt, next, form } = delivery;
  const path = `/api/v1/deliveries/${id}`;
  const canRetry = state === "held" || state === "discarded" || (state === "pending" && tries > 0);
  const canDiscard = state === "held" || state === "pending";
  const what = `the delivery to ${destination}`;
  return html`<li>
<span class="arrow" aria-hidden="true">→</span> <strong>${destination}</strong> ${pill(state)}
<span>${state === "delivered" && endedAt !== undefined && html`${moment(endedAt, around.now)}, `}${status !== undefined && html`answered ${statusText(status)}, `}${counted(tries, "try", "tries")}${form !== "binary" && `, as ${nameOf(form)}`}</span>
${delivery.commitment !== undefined && html`<span>${COMMITMENT[delivery.commitment]}</span>`}
${state === "pending" && next && !next.isRunning && next.at > around.now + 1000 && html`<span>next in ${duration(next.at - around.now)}</span>`}
${reason !== undefined && html`<span class="why">${reason}</span>`}
${(canRetry || canDiscard) && actions(around, html`${canRetry && orderButton(`${path}/retry`, "Send now", what, back)}${canDiscard && orderButton(`${path}/discard`, "Discard", what, back, true)}`)}
</li>`;
}

/** Only for those who may. */
function actions({ caller }: Around, buttons: Html): Html {
  return caller?.role === "operator" ? html`<div class="actions">${buttons}</div>` : html``;
}
