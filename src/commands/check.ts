/** `isocenter check`: validates a config; every problem at once as file:line:column, or a summary. */
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
  output(`${path}: OK`);
  for (const line of summary(loaded.config)) output(line);
  return 0;
}

function summary({ node, dicom, destinations, models, rules }: Config): readonly string[] {
  const callers = dicom.callers.map(({ aeTitle, from }) => `${aeTitle} from ${from}`);
  return [
    `  listens       ${node.aeTitle} on ${dicom.host}:${dicom.port}, for ${callers.join(", ")}`,
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
