/**
 * What is logged, told to others too: metrics, the audit trail, pages that are open.
 *
 * They see every event whatever the level of the log is. One that throws harms neither the log nor the others.
 */
import type { Log, LogFields } from "../base/log.ts";

type Level = "debug" | "info" | "warn" | "error";

export interface LogEvent {
  readonly level: Level;
  /** `stage.event` */
  readonly event: string;
  readonly fields: LogFields;
}

export type Observer = (event: LogEvent) => void;

export function observedLog(log: Log, observers: ReadonlySet<Observer>): Log {
  const write = (level: Level) => (event: string, fields: LogFields) => {
    log[level](event, fields);
    for (const observe of observers) {
      try {
        observe({ level, event, fields });
      } catch (error) {
        log.error("node.observer-failed", { error });
      }
    }
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
