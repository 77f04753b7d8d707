/** The audit of a node: events of the log become messages, messages a trail on disk, the trail a stream to a collector. */
import { hostname } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { LogEvent } from "../observed-log.ts";
import { auditMessage } from "./message.ts";
import { SyslogSender, type SyslogSettings } from "./syslog.ts";
import { Trail } from "./trail.ts";

export interface AuditSettings {
  readonly aeTitle: string;
  readonly site?: string;
  readonly fileBytes: number;
  readonly files: number;
  readonly syslog?: SyslogSettings;
}

export interface Audit extends AsyncDisposable {
  observe(event: LogEvent): void;
}

export function auditFolder(dataDir: string): string {
  return join(dataDir, "audit");
}

/** @throws what the file system throws */
export async function openAudit(
  dataDir: string,
  settings: AuditSettings,
  system: { readonly log: Log; readonly clock: Clock },
): Promise<Audit> {
  const folder = auditFolder(dataDir);
  await using parts = new AsyncDisposableStack();
  let sender: SyslogSender | undefined;
  const { log, clock } = system;
  const trail = parts.use(
    await Trail.open({ folder, ...settings }, { log, onWritten: () => sender?.wake() }),
  );
  if (settings.syslog)
    sender = parts.use(new SyslogSender(folder, settings.syslog, { log, clock, hostname: hostname() }));
  const release = parts.move();
  return {
    observe(event) {
      const message = auditMessage(event, clock.now(), settings);
      if (message !== undefined) trail.add(message);
    },
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}
