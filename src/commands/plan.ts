/**
 * `isocenter plan`: what each series of a folder would get under a config, and why; and what another config changes.
 * Nothing is sent.
 */
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { type DicomFile, readFolder } from "../demo/send.ts";
import { type DataSet, stringOf } from "../dicom/data-set.ts";
import { tagOf } from "../dicom/dictionary.ts";
import { readPart10Header } from "../dicom/part10.ts";
import { compileRules, type Routing, route } from "../routing/rules.ts";
import { readImages } from "../volume/read-image.ts";
import { arrange, type SliceFacts } from "../volume/slices.ts";

export interface PlanOptions {
  readonly config: string;
  readonly folder: string;
  /** Another config, to compare with. */
  readonly against?: string;
  /** The calling AE title that rules would see. */
  readonly calling: string;
  readonly json: boolean;
}

interface FoundSeries {
  readonly studyUid: string;
  readonly seriesUid: string;
  /** Of the first file, in the order of paths. */
  readonly header: DataSet;
  /** Each SOP Instance once. */
  readonly files: readonly DicomFile[];
}

/** What one series gets. */
interface Decision {
  /** assigned, kept-out or no-rule. */
  readonly kind: Routing["kind"];
  /** The rules that hold; or why none does, or why the series is kept out. */
  readonly why: readonly string[];
  readonly models: readonly { readonly model: string; readonly destinations: readonly string[] }[];
  readonly priority?: string;
}

interface Planned extends Decision {
  readonly studyUid: string;
  readonly seriesUid: string;
  readonly modality: string;
  readonly description: string;
  readonly instances: number;
  /** The stack that the series forms, or why it forms none; only where a model would be asked. */
  readonly volume?: string;
  /** Under the config to compare with, where that decides otherwise. */
  readonly before?: Decision;
}

type Output = Readonly<Record<"print" | "complain", (line: string) => void>>;

/** @returns the exit code */
export async function plan(options: PlanOptions, { print, complain }: Output): Promise<number> {
  const config = await configOf(options.config, complain);
  const before = options.against === undefined ? undefined : await configOf(options.against, complain);
  if (!config || (options.against !== undefined && !before)) return 1;
  const found = await readFolder(options.folder).catch((error: Error) => error);
  if (found instanceof Error) {
    complain(`${options.folder}: cannot be read: ${found.message}`);
    return 1;
  }
  const planned: Planned[] = [];
  for (const series of await seriesOf(found.files))
    planned.push(await planOf(series, config, before, options.calling));
  const homeless = found.files.filter((file) => !hasPlace(file));
  const skipped = [
    ...found.skipped,
    ...homeless.map(({ path }) => ({ path, reason: "without a study or series UID" })),
  ];
  if (options.json) print(JSON.stringify({ series: planned, skipped }, undefined, 2));
  else for (const line of [...planned.flatMap(linesOf), ...summary(planned, skipped)]) print(line);
  return 0;
}

async function configOf(path: string, complain: (line: string) => void): Promise<Config | undefined> {
  const loaded = await loadConfig(path);
  if (loaded.kind === "ok") return loaded.config;
  for (const { file, line, column, message } of loaded.problems)
    complain(`${file}:${line}:${column}: ${message}`);
  return undefined;
}

function hasPlace({ studyUid, seriesUid }: DicomFile): boolean {
  return studyUid !== "" && seriesUid !== "";
}

async function seriesOf(files: readonly DicomFile[]): Promise<readonly FoundSeries[]> {
  const groups = Map.groupBy(files.filter(hasPlace), ({ studyUid, seriesUid }) => `${studyUid} ${seriesUid}`);
  return Promise.all(
    Array.from(groups.values(), async (ofSeries) => {
      const [first] = ofSeries as [DicomFile];
      const { studyUid, seriesUid } = first;
      const byUid = new Map(ofSeries.map((file) => [file.sopInstanceUid, file]));
      const { dataSet: header } = await readPart10Header(first.path);
      return { studyUid, seriesUid, header, files: [...byUid.values()] };
    }),
  );
}

async function planOf(
  series: FoundSeries,
  config: Config,
  before: Config | undefined,
  calling: string,
): Promise<Planned> {
  const { studyUid, seriesUid, header, files } = series;
  const text = (keyword: string): string => stringOf(header, tagOf(keyword)) ?? "";
  const decision = decide(series, config, calling);
  const was = before && decide(series, before, calling);
  return {
    studyUid,
    seriesUid,
    modality: text("Modality"),
    description: text("SeriesDescription"),
    instances: files.length,
    ...decision,
    ...(decision.kind === "assigned" && { volume: await volumeOf(series) }),
    ...(was && JSON.stringify(was) !== JSON.stringify(decision) && { before: was }),
  };
}

function decide({ header, files }: FoundSeries, { rules, dicom }: Config, callingAeTitle: string): Decision {
  const association = { callingAeTitle, calledAeTitle: dicom.aeTitle, peer: "127.0.0.1" };
  const routing = route(compileRules(rules), { dataSet: header, association, instances: files.length });
  switch (routing.kind) {
    case "assigned":
      return {
        kind: routing.kind,
        why: routing.rule.split(", "),
        models: routing.assignments,
        priority: routing.priority,
      };
    case "kept-out":
      return { kind: routing.kind, why: [routing.reason], models: [] };
    case "no-rule":
      return {
        kind: routing.kind,
        why: routing.considered.map(({ rule, why }) => `${rule}: ${why}`),
        models: [],
      };
  }
}

async function volumeOf({ files }: FoundSeries): Promise<string> {
  const read = await readImages(files);
  const refused = read.find((one) => one.kind === "rejected");
  if (refused) return `none: ${refused.reason}, ${refused.detail}`;
  const slices = read.flatMap((one): readonly SliceFacts[] =>
    one.kind === "image"
      ? one.image.frames.map(({ place }) => ({
          ...place,
          sopInstanceUid: one.image.sopInstanceUid,
          seriesUid: one.image.seriesUid,
          rows: one.image.format.rows,
          columns: one.image.format.columns,
          ...(one.image.frameOfReferenceUid !== undefined && {
            frameOfReferenceUid: one.image.frameOfReferenceUid,
          }),
        }))
      : [],
  );
  const arranged = arrange(slices);
  return arranged.kind === "rejected"
    ? `none: ${arranged.reason}, ${arranged.detail}`
    : `${arranged.grid.size.join(" × ")} voxels`;
}

function linesOf(planned: Planned): readonly string[] {
  const { seriesUid, modality, description, instances, volume, before } = planned;
  const what = [modality, description].filter(Boolean).join(", ");
  return [
    `series ${seriesUid}`,
    `  holds       ${instances} ${instances === 1 ? "instance" : "instances"}${what && ` of ${what}`}`,
    ...decisionLines(planned),
    ...(volume === undefined ? [] : [`  volume      ${volume}`]),
    ...(before ? ["  until now", ...decisionLines(before).map((line) => `  ${line}`)] : []),
    "",
  ];
}

function decisionLines({ kind, why, models, priority }: Decision): readonly string[] {
  if (kind === "kept-out") return [`  kept out    ${why.join(", ")}`];
  if (kind === "no-rule")
    return why.length === 0 ? ["  no rule     there is none"] : why.map((one) => `  no rule     ${one}`);
  return [
    `  rule        ${why.join(", ")}`,
    `  priority    ${priority}`,
    ...models.map(({ model, destinations }) => `  model       ${model} → ${destinations.join(", ")}`),
  ];
}

function summary(
  planned: readonly Planned[],
  skipped: readonly { readonly path: string; readonly reason: string }[],
): readonly string[] {
  const assigned = planned.filter(({ kind }) => kind === "assigned").length;
  const changed = planned.filter(({ before }) => before).length;
  return [
    ...skipped.map(({ path, reason }) => `passed over  ${path}: ${reason}`),
    `${planned.length} series, ${assigned} for a model${changed > 0 ? `, ${changed} decided otherwise than until now` : ""}`,
  ];
}
