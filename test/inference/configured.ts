/** Models as a config file has them, asked about the small volume of support.ts. */

import { systemClock } from "../../src/base/clock.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { ModelAccess } from "../../src/inference/access.ts";
import { type Answer, createInference } from "../../src/inference/dispatch.ts";
import { allLabels } from "../volume/formats/fixtures.ts";
import { impatientClock, never, pool, recordingLog, smallVolume } from "./support.ts";

const SEGMENTS = allLabels
  .map(
    (label) =>
      `      ${label}: { label: S${label}, category: "SCT:91723000:Anatomical structure", type: "SCT:91609006:Mandible" }`,
  )
  .join("\n");

/** @param settings  of one model, in YAML, indented by four */
export function configOf(settings: string, more = ""): Config {
  const hasSegments = /^ {4}segments:/m.test(settings);
  const text = `
node: { aeTitle: ISOCENTER, dataDir: data }
dicom: { callers: [{ aeTitle: "*", from: 127.0.0.1 }] }
modelAccess: { port: 0 }
${more}
models:
  tested:
${settings}
${hasSegments ? "" : `    segments:\n${SEGMENTS}`}
`;
  const loaded = parseConfig(text, "node.yaml");
  if (loaded.kind === "ok") return loaded.config;
  throw new Error(loaded.problems.map(({ line, message }) => `${line}: ${message}`).join("\n"));
}

export interface Asked {
  readonly answer: Answer;
  readonly waits: readonly number[];
  readonly lines: ReturnType<typeof recordingLog>["lines"];
}

/** @throws what the model's failure is */
export async function askConfigured(
  config: Config,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Asked> {
  const clock = impatientClock();
  const log = recordingLog();
  await using access = await ModelAccess.open({ host: "127.0.0.1", port: 0 }, systemClock);
  await using inference = createInference(config, { log, clock, pool, access });
  using volume = inference.prepare(smallVolume());
  const about = { studyUid: "1.2.3", seriesUid: "1.2.3.4" };
  const answer = await inference.infer("tested", volume, {
    signal: options.signal ?? never,
    priority: 0,
    about,
  });
  return { answer, waits: clock.waits, lines: log.lines };
}
