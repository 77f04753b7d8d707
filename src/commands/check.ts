/** `isocenter check`: validates a config and its TLS files; every problem at once, or a summary. */
import { readTlsFiles, type TlsFiles } from "../association/credentials.ts";
import { NodeError } from "../base/errors.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";

/** @returns the exit code */
export async function check(path: string, output: (line: string) => void): Promise<number> {
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
  return 0;
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
