/** `isocenter audit verify`: whether the audit trail of a data folder is what the node wrote. */
import { loadConfig } from "../config/load.ts";
import { auditFolder } from "../ops/audit/audit.ts";
import { verifyTrail } from "../ops/audit/trail.ts";

/** @returns the exit code: 0 whole, 1 broken or not to be read */
export async function verifyAudit(config: string, print: (line: string) => void): Promise<number> {
  const loaded = await loadConfig(config);
  if (loaded.kind === "invalid") {
    for (const { file, line, column, message } of loaded.problems)
      print(`${file}:${line}:${column}: ${message}`);
    return 1;
  }
  const folder = auditFolder(loaded.config.node.dataDir);
  const verified = await verifyTrail(folder).catch((error: Error) => error);
  if (verified instanceof Error) {
    print(`${folder}: cannot be read: ${verified.message}`);
    return 1;
  }
  switch (verified.kind) {
    case "empty":
      print(`${folder}: there is no message yet`);
      return 0;
    case "broken":
      print(`${verified.path}:${verified.line}: BROKEN: the line ${verified.reason}`);
      return 1;
    case "whole":
      print(
        `${folder}: whole, ${verified.lines} messages, from ${verified.first} to ${verified.last.sequence}`,
      );
      print(`The last one has the hash ${verified.last.hash}; compare number and hash with the collector's.`);
      return 0;
  }
}
