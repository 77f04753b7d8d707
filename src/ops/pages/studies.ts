/** The list of studies, with its filters. Pure. */
import { STUDY_STATES, type StudyPage, type StudySummary } from "../../ledger/overview.ts";
import { type Html, html } from "./html.ts";
import { type Around, page } from "./layout.ts";
import { counted, moment, nameOf, pill } from "./words.ts";

export interface StudiesView {
  readonly found: StudyPage;
  /** As it was asked for, word by word. */
  readonly asked: Readonly<Record<"search" | "state" | "model" | "destination" | "age", string>>;
  readonly names: { readonly models: readonly string[]; readonly destinations: readonly string[] };
  readonly isFirst: boolean;
}

/** Choices of the filter by age: the newest image came within so many ms. */
export const AGES: Readonly<Record<string, { readonly ms: number; readonly name: string }>> = {
  hour: { ms: 3_600_000, name: "the last hour" },
  day: { ms: 86_400_000, name: "the last day" },
  week: { ms: 7 * 86_400_000, name: "the last week" },
};

export function studiesPage(around: Around, view: StudiesView): string {
  const { found, asked, names, isFirst } = view;
  const isFiltered = Object.values(asked).some((value) => value !== "");
  return page(around, {
    title: "Studies",
    at: "studies",
    live: html`<h1>Studies</h1>
<form class="filters" method="get" action="/" role="search" aria-label="Studies">
<label class="grow">UID <input name="search" value="${asked.search}" inputmode="decimal" pattern="[0-9.]*" maxlength="64" placeholder="part of a study or series UID" title="digits and dots"></label>
${choice(
  "State",
  "state",
  asked.state,
  STUDY_STATES.map((state) => [state, nameOf(state)]),
)}
${choice(
  "Model",
  "model",
  asked.model,
  names.models.map((name) => [name, name]),
)}
${choice(
  "Destination",
  "destination",
  asked.destination,
  names.destinations.map((name) => [name, name]),
)}
${choice(
  "Images of",
  "age",
  asked.age,
  Object.entries(AGES).map(([key, { name }]) => [key, name]),
)}
<button>Show</button>
</form>
${found.studies.length === 0 ? nothing(isFiltered) : table(found.studies, around.now)}
<nav class="pages" aria-label="Pages of the list">${!isFirst && html`<a href="/?${queryOf(asked)}">Newest</a>`}${
      found.next !== undefined &&
      html`<a rel="next" href="/?${queryOf({ ...asked, after: found.next })}">Older studies</a>`
    }</nav>`,
  });
}

function nothing(isFiltered: boolean): Html {
  return isFiltered
    ? html`<div class="empty"><p>No study is like that.</p><p><a href="/">Show all studies</a></p></div>`
    : html`<div class="empty"><p>No study has come yet.</p><p>Send one by C-STORE to this node; it shows here as it arrives.</p></div>`;
}

function choice(
  label: string,
  name: string,
  chosen: string,
  options: readonly (readonly [string, string])[],
): Html {
  return html`<label>${label} <select name="${name}"><option value="">any</option>${options.map(
    ([value, text]) => html`<option value="${value}"${value === chosen && html` selected`}>${text}</option>`,
  )}</select></label>`;
}

function table(studies: readonly StudySummary[], now: number): Html {
  return html`<table class="cards"><caption class="hidden">Studies, the one with the newest image first</caption>
<thead><tr><th scope="col">Study</th><th scope="col">State</th><th scope="col">Images</th><th scope="col">Models</th><th scope="col">Results</th><th scope="col">Newest image</th></tr></thead>
<tbody>${studies.map(
    (study) => html`<tr>
<th scope="row"><a class="uid" href="/studies/${study.studyUid}">${study.studyUid}</a></th>
<td data-label="State"><div>${pill(study.state)}</div></td>
<td data-label="Images"><div>${counted(study.instances, "image")}<small>${counted(study.series, "series", "series")}</small></div></td>
<td data-label="Models"><div>${runsOf(study)}</div></td>
<td data-label="Results"><div>${resultsOf(study)}</div></td>
<td data-label="Newest image"><div>${moment(study.lastAt, now)}</div></td>
</tr>`,
  )}</tbody></table>`;
}

function runsOf({ runs, models }: StudySummary): Html {
  const all = Object.values(runs).reduce((sum, count) => sum + count, 0);
  if (all === 0) return html`<span class="faint">none</span>`;
  const over = runs.done + runs["no-finding"];
  const bad = runs.failed + runs.quarantined;
  return html`${over} of ${all}${bad > 0 && html`, <strong class="bad">${bad} failed</strong>`}<small>${models.join(", ")}</small>`;
}

function resultsOf({ deliveries, destinations }: StudySummary): Html {
  const all = deliveries.pending + deliveries.delivered + deliveries.held;
  if (all === 0) return html`<span class="faint">none</span>`;
  return html`${deliveries.delivered} of ${all}${deliveries.held > 0 && html`, <strong class="bad">${deliveries.held} held</strong>`}<small>${destinations.join(", ")}</small>`;
}

function queryOf(values: Readonly<Record<string, string>>): string {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "")).toString();
}
