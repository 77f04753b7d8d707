/** Accounts of studies as text for people: one fact a line, what belongs to something indented below it. Pure. */
import type {
  DeliveryAccount,
  ResultAccount,
  RunAccount,
  SeriesAccount,
  StudyAccount,
} from "../ledger/account.ts";
import type { StudySummary } from "../ledger/overview.ts";

export function linesText(studies: readonly StudySummary[]): string {
  if (studies.length === 0) return "No studies.";
  return studies
    .map(({ studyUid, state, series, instances, runs, deliveries, lastAt }) =>
      [
        new Date(lastAt).toISOString(),
        studyUid,
        state,
        `${series} series`,
        `${instances} images`,
        ...counts("runs", runs),
        ...counts("deliveries", deliveries),
      ].join("  "),
    )
    .join("\n");
}

export function accountText(account: StudyAccount, how: "show" | "receipt"): string {
  const { study, state, reason, series, events } = account;
  return [
    `study ${study}`,
    ...(state === "ok" ? [] : [`  ${state}${because(reason)}`]),
    ...series.flatMap((one) => seriesText(one, how)),
    ...(events.length > 0 ? ["  events"] : []),
    ...events.map(({ at, kind, detail }) => `    ${at}  ${kind}  ${detail}`),
  ].join("\n");
}

function seriesText(series: SeriesAccount, how: "show" | "receipt"): readonly string[] {
  const { images, instances, runs } = series;
  return [
    `  series ${series.series}`,
    `    ${completeness(series)}`,
    `    images    ${images.received} received, ${images.used} used${unusedText(images.unused)}, ${images.duplicates} duplicates`,
    ...(series.outcome === undefined ? [] : [`    ${series.outcome}${because(series.outcomeReason)}`]),
    ...(how === "show" ? [] : instances).map(
      ({ at, sopInstanceUid, sha256, bytes, callingAeTitle, peer, unused }) =>
        `    image     ${at}  ${sopInstanceUid}  ${bytes} bytes  sha256 ${sha256}  from ${callingAeTitle} ${peer}${because(unused)}`,
    ),
    ...runs.flatMap(runText),
  ];
}

function completeness({ state, revision, completeAt, completeBecause }: SeriesAccount): string {
  if (state === "open")
    return revision === 0 ? "open, more may come" : `open again after revision ${revision}`;
  return `complete  ${completeAt ?? ""}  revision ${revision}${because(completeBecause)}`;
}

function runText(run: RunAccount): readonly string[] {
  const { model, modelVersion, revision, rule, state, code, reason, endedAt, timings, results } = run;
  return [
    `    model     ${model} ${modelVersion}  revision ${revision}  rule ${rule}  ${state}${because(code)}${because(reason)}  ${endedAt ?? ""}`.trimEnd(),
    ...(timings === undefined ? [] : [`      timings ${JSON.stringify(timings)}`]),
    ...results.flatMap(resultText),
  ];
}

function resultText({ sopInstanceUid, form, bytes, sha256, deliveries }: ResultAccount): readonly string[] {
  const head = `      result  ${sopInstanceUid}  ${form}  ${bytes} bytes  sha256 ${sha256}`;
  return [head].concat(deliveries.map(deliveryText));
}

function deliveryText({ destination, state, attempts, status, reason, at }: DeliveryAccount): string {
  const answer = status === undefined ? "" : `, answered ${status}H`;
  return `        to ${destination}: ${state}${answer}, ${attempts} attempts${because(reason)}  ${at ?? ""}`.trimEnd();
}

function counts(what: string, by: Readonly<Record<string, number>>): readonly string[] {
  const parts = Object.entries(by)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`);
  return parts.length === 0 ? [] : [`${what}: ${parts.join(", ")}`];
}

function unusedText(unused: Readonly<Record<string, number>>): string {
  return Object.entries(unused)
    .map(([why, count]) => `, ${count} not used (${why})`)
    .join("");
}

function because(reason: string | undefined): string {
  return reason === undefined || reason === "" ? "" : ` (${reason})`;
}
