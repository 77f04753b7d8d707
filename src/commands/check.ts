/**
 * `isocenter check`: validates a config and its TLS files; every problem at once, or a summary.
 *
 * With --live, models are asked for their health and destinations by C-ECHO; nothing of a patient is sent.
 */
import { readTlsFiles, type TlsFiles } from "../association/credentials.ts";
import { systemClock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../dicom/constants.ts";
import { probeModel } from "../inference/probe.ts";
import { Peers } from "../pipeline/peers.ts";

/** @returns the exit code */
export async function check(
  path: string,
  output: (line: string) => void,
  { live }: { readonly live: boolean } = { live: false },
): Promise<number> {
  const loaded = await loadConfig(path);
  if (loaded.kind === "invalid") {
    for (const { file, line, column, message } of loaded.problems)
      output(`${file}:${line}:${column}: ${message}`);
    return 1;
  }
  const unusable = await tlsProblems(loaded.config);
  for (const message of unusable) output(`${path}: ${message}`);
  if (unusable.length > 0) return 1;
  output(`${path}: OK`);
  for (const line of summary(loaded.config)) output(line);
  if (!live) return 0;
  const found = await Promise.all([...modelsAsked(loaded.config), ...destinationsAsked(loaded.config)]);
  for (const { line } of found) output(line);
  return found.every(({ isWell }) => isWell) ? 0 : 1;
}

async function tlsProblems({ dicom, destinations }: Config): Promise<readonly string[]> {
  const ends: (readonly [string, { readonly files: TlsFiles } | undefined])[] = [
    ["dicom.tls", dicom.tls],
    ...Array.from(destinations.values(), ({ name, tls }) => [`destinations.${name}.tls`, tls] as const),
  ];
  const problems: string[] = [];
  for (const [of, tls] of ends) {
    try {
      if (tls) await readTlsFiles(tls.files, of);
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      problems.push(error.message);
    }
  }
  return problems;
}

function summary({ node, dicom, destinations, models, rules }: Config): readonly string[] {
  const callers = dicom.callers.map(
    ({ aeTitle, from, certificate }) =>
      `${aeTitle} from ${from}${certificate === undefined ? "" : ` as ${certificate}`}`,
  );
  return [
    `  listens       ${node.aeTitle} on ${dicom.host}:${dicom.port}, for ${callers.join(", ")}`,
    ...(dicom.tls ? [`  listens       with TLS on ${dicom.tls.host}:${dicom.tls.port}`] : []),
    ...Array.from(models.values(), ({ name, version, url }) => `  model         ${name} ${version}: ${url}`),
    ...Array.from(
      destinations.values(),
      ({ name, aeTitle, host, port }) => `  destination   ${name}: ${aeTitle}@${host}:${port}`,
    ),
    ...rules.map(
      ({ name, models, sendTo }) => `  rule          ${name}: ${models.join(", ")} → ${sendTo.join(", ")}`,
    ),
  ];
}

const SYSTEM = { log: silentLog, clock: systemClock };

interface Asked {
  readonly isWell: boolean;
  readonly line: string;
}

function modelsAsked({ models, secrets }: Config): readonly Promise<Asked>[] {
  return Array.from(models.values(), async (model) => {
    const { kind, detail, elapsedMs } = await probeModel(model, { clock: systemClock, secrets });
    const isWell = kind === "ready" || kind === "busy";
    return { isWell, line: `  model         ${model.name}: ${kind}, ${detail} (${elapsedMs} ms)` };
  });
}

function destinationsAsked({ destinations }: Config): readonly Promise<Asked>[] {
  return Array.from(destinations.values(), async (destination) => {
    const line = (what: string): string => `  destination   ${destination.name}: ${what}`;
    const started = systemClock.elapsed();
    try {
      using peers = await Peers.open([[`destinations.${destination.name}`, destination]], SYSTEM);
      await using association = await peers.associate(destination, {
        contexts: [
          {
            abstractSyntax: SOP_CLASS.VERIFICATION,
            transferSyntaxes: [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN],
          },
        ],
      });
      const status = await association.echo();
      const elapsedMs = Math.round(systemClock.elapsed() - started);
      const said = `C-ECHO answered ${status.toString(16).padStart(4, "0").toUpperCase()}H (${elapsedMs} ms)`;
      return { isWell: status === 0, line: line(said) };
    } catch (error) {
      return { isWell: false, line: line(error instanceof Error ? error.message : String(error)) };
    }
  });
}
