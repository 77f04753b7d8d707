/**
 * winston behind base/log.ts: one line per event, as JSON or for people.
 *
 * Errors become their code, message and causes; stacks only below info. Control characters are escaped by JSON in
 * both formats, so that no peer can forge a line. Writes to standard output; rotation is the supervisor's.
 */
import winston from "winston";
import { NodeError } from "../base/errors.ts";
import type { Log, LogFields } from "../base/log.ts";

export interface LogSettings {
  readonly level: "error" | "warn" | "info" | "debug";
  readonly format: "json" | "pretty";
}

export function createLog(settings: LogSettings): Log {
  const { combine, printf, timestamp } = winston.format;
  const line = settings.format === "json" ? printf(asJson) : printf(asText);
  const logger = winston.createLogger({
    level: settings.level,
    format: combine(timestamp(), line),
    transports: [new winston.transports.Console()],
  });
  const write = (level: string) => (event: string, fields: LogFields) => {
    logger.log(level, event, { fields: plain(fields, settings.level === "debug") });
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

type Line = winston.Logform.TransformableInfo;

function asJson({ timestamp, level, message, fields }: Line): string {
  return JSON.stringify({ time: timestamp, level, event: message, ...(fields as object) });
}

function asText({ timestamp, level, message, fields }: Line): string {
  const pairs = Object.entries(fields as object).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [String(timestamp).slice(11, 23), level.padEnd(5), String(message).padEnd(24), ...pairs].join(" ");
}

function plain({ error, ...fields }: LogFields, withStack: boolean): Record<string, unknown> {
  return error === undefined ? fields : { ...fields, ...described(error, withStack) };
}

function described(error: unknown, withStack: boolean): Record<string, unknown> {
  if (!(error instanceof Error)) return { error: String(error) };
  return {
    error: error.message,
    ...(error instanceof NodeError && { code: error.code }),
    ...(error.cause instanceof Error && { cause: causes(error.cause) }),
    ...(withStack && { stack: error.stack }),
  };
}

/** The chain of reasons. */
function causes(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  const own = code === undefined ? error.message : `${code} ${error.message}`;
  return error.cause instanceof Error ? `${own} < ${causes(error.cause)}` : own;
}
