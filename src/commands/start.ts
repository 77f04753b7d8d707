/**
 * `isocenter start`: runs the node until it is told to stop.
 *
 * The first SIGTERM or SIGINT refuses new associations and lets what runs end, within `node.stopWithin`; a second
 * one, or the end of that time, ends the process at once. Nothing acknowledged is lost either way. SIGHUP takes up
 * TLS files that have changed.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { systemClock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { startNode } from "../node.ts";
import { createLog } from "../ops/logger.ts";

const OWN_CONFIG = "config/node.yaml";
const EXAMPLE_CONFIG = fileURLToPath(new URL("../../config/node.example.yaml", import.meta.url));

/** @returns the exit code */
export async function start(file: string | undefined, print: (line: string) => void): Promise<number> {
  const path = file ?? (existsSync(OWN_CONFIG) ? OWN_CONFIG : EXAMPLE_CONFIG);
  const loaded = await loadConfig(path);
  if (loaded.kind === "invalid") {
    for (const { file, line, column, message } of loaded.problems)
      print(`${file}:${line}:${column}: ${message}`);
    return 1;
  }
  const { config } = loaded;
  await using log = createLog(config.log);
  const stopped = stopRequested();
  void stopped.then(() => setTimeout(() => process.exit(1), config.node.stopWithinMs).unref());
  try {
    await using node = await startNode(config, { log, clock: systemClock });
    process.on("SIGHUP", () => void node.reloadCertificates());
    const { aeTitle: calledAeTitle, host } = config.dicom;
    log.info("node.started", { calledAeTitle, host, port: node.port, path: config.node.dataDir });
    if (config.http && node.httpPort !== undefined)
      log.info("http.started", { host: config.http.host, port: node.httpPort });
    if (node.tlsPort !== undefined) {
      log.info("node.listens-tls", {
        calledAeTitle,
        host: config.dicom.tls?.host ?? host,
        port: node.tlsPort,
      });
    }
    if (config.log.format === "pretty") welcome(config, { path, port: node.port, print });
    const signal = await stopped;
    log.info("node.stopping", { signal });
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    log.error("node.failed", { error });
    return 1;
  }
  log.info("node.stopped", {});
  return 0;
}

function welcome(
  { node, dicom, destinations }: Config,
  at: { readonly path: string; readonly port: number; readonly print: (line: string) => void },
): void {
  at.print("");
  at.print(`  Isocenter listens as ${dicom.aeTitle} on ${dicom.host}:${at.port}`);
  at.print(`  config   ${at.path}`);
  at.print(`  data     ${node.dataDir}`);
  at.print(
    `  results  ${[...destinations.values()].map((to) => `${to.aeTitle}@${to.host}:${to.port}`).join(", ")}`,
  );
  at.print("");
  at.print(`  Try it:  echoscu -aec ${dicom.aeTitle} ${dicom.host} ${at.port}`);
  at.print(`  Then point a forward rule of your PACS at it, or see it all at work: npm run demo`);
  if (at.path === EXAMPLE_CONFIG)
    at.print(`  Your own config: copy ${EXAMPLE_CONFIG} to ${OWN_CONFIG} and edit it`);
  at.print("");
}

/** The first signal is for us; the second one finds no listener and ends the process. */
function stopRequested(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const onSignal = (signal: string): void => {
    process.off("SIGTERM", onSignal).off("SIGINT", onSignal);
    resolve(signal);
  };
  process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
  return promise;
}
