/**
 * A whole node in this process, between model doubles and a PACS: config text in, log events out.
 */
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import type { Log, LogFields } from "../../src/base/log.ts";
import { parseConfig } from "../../src/config/load.ts";
import { type RunningNode, startNode } from "../../src/node.ts";

export interface Event {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields;
}

/** Keeps what was said, and tells when something is. */
export class Journal implements Log {
  readonly events: Event[] = [];
  readonly #waiting = new Set<() => void>();

  debug(event: string, fields: LogFields): void {
    this.#keep("debug", event, fields);
  }
  info(event: string, fields: LogFields): void {
    this.#keep("info", event, fields);
  }
  warn(event: string, fields: LogFields): void {
    this.#keep("warn", event, fields);
  }
  error(event: string, fields: LogFields): void {
    this.#keep("error", event, fields);
  }

  of(event: string): readonly LogFields[] {
    return this.events.filter((one) => one.event === event).map(({ fields }) => fields);
  }

  /** Resolves when an event was said so many times. */
  async said(event: string, times = 1): Promise<readonly LogFields[]> {
    while (this.of(event).length < times) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
    return this.of(event);
  }

  #keep(level: string, event: string, fields: LogFields): void {
    this.events.push({ level, event, fields });
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

export interface RigOptions {
  readonly pacsPort: number;
  /** YAML of the `models` section: name to entry in flow style, without the url. */
  readonly models: Readonly<Record<string, { readonly url: string; readonly rest: string }>>;
  readonly when?: string;
  readonly assembly?: string;
  readonly volume?: string;
  /** More sections of the config, in YAML. */
  readonly more?: string;
  /** Of the rule; by default each result is sent as it is ready. */
  readonly fanIn?: string;
  /** Accept the deflated transfer syntax. */
  readonly deflated?: boolean;
  /** More of the destination, in flow style. */
  readonly destination?: string;
  /** YAML of the `http` section, in flow style; without it there is no HTTP door. */
  readonly http?: string;
}

export const ONE_SEGMENT =
  'segments: { 1: { label: Bone, category: "SCT:91723000:Anatomical structure", type: "SCT:3138006:Bone" } }';
export const RAW_NIFTI =
  "request: { format: nifti, compression: none, body: raw }, response: { as: labelmap }";

export async function startRig(folder: string, journal: Journal, options: RigOptions): Promise<RunningNode> {
  const loaded = parseConfig(configText(folder, options), join(folder, "node.yaml"));
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  return startNode(loaded.config, { log: journal, clock: systemClock });
}

/** A config whose data folder is in `folder`; every model is asked about every series that `when` holds for. */
export function configText(folder: string, options: RigOptions): string {
  const models = Object.entries(options.models).map(
    ([name, { url, rest }]) => `  ${name}: { url: "${url}", ${rest} }`,
  );
  const names = Object.keys(options.models);
  const rule = `{ name: all, when: '${options.when ?? "true"}', models: [${names.join(", ")}], sendTo: [pacs], fanIn: ${options.fanIn ?? "asReady"} }`;
  return `
node: { aeTitle: ISOCENTER, dataDir: ${join(folder, "data")}, reserve: 1MiB, stopWithin: 5s }
dicom:
  listen: { host: 127.0.0.1, port: 0 }
  callers: [{ aeTitle: "*", from: 127.0.0.1 }]
  acceptDeflated: ${options.deflated ?? false}
${options.http === undefined ? "" : `http: ${options.http}`}
assembly: ${options.assembly ?? "{ settle: 100ms, quietPeriod: 2s, maximumWait: 1m }"}
volume: ${options.volume ?? "{}"}
destinations: { pacs: { aeTitle: PACS, host: 127.0.0.1, port: ${options.pacsPort}${options.destination ?? ""} } }
${options.more ?? ""}
models:${names.length > 0 ? `\n${models.join("\n")}` : " {}"}
rules:${names.length > 0 ? `\n  - ${rule}` : " []"}
`;
}
