/**
 * winston behind base/log.ts: one line per event, as JSON or for people.
 *
 * Errors become their code, message and causes; stacks only below info. Control characters are escaped by JSON in
 * both formats, so that no peer can forge a line. Writes to standard output, and to a file that is turned when it has
 * grown. Levels can be changed while the node runs, for all events or for those of one stage.
 */
import { once } from "node:events";
import winston from "winston";
import { NodeError } from "../base/errors.ts";
import type { Log, LogFields } from "../base/log.ts";

type Level = "error" | "warn" | "info" | "debug";

interface LogLevels {
  readonly level: Level;
  /** By stage, the first word of an event: what is written of it instead. */
  readonly levels: Readonly<Record<string, Level>>;
}

export interface LogSettings extends LogLevels {
  readonly format: "json" | "pretty";
  readonly file?: { readonly path: string; readonly sizeBytes: number; readonly files: number };
}

/** Disposing writes what is still to be written to the file. */
export interface NodeLog extends Log, AsyncDisposable {
  /** From the next event on. */
  setLevels(levels: LogLevels): void;
}

const RANK: Readonly<Record<Level, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

export function createLog(settings: LogSettings): NodeLog {
  const { combine, printf, timestamp } = winston.format;
  const line = settings.format === "json" ? printf(asJson) : printf(asText);
  const files = fileOf(settings);
  const logger = winston.createLogger({
    level: "debug", // what is written is decided below, event by event
    format: combine(timestamp(), line),
    transports: [new winston.transports.Console(), ...files],
  });
  let { level: usual, levels }: LogLevels = settings;
  const write = (level: Level) => (event: string, fields: LogFields) => {
    const most = levels[event.slice(0, event.indexOf("."))] ?? usual;
    if (RANK[level] <= RANK[most]) logger.log(level, event, { fields: plain(fields, most === "debug") });
  };
  return {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    setLevels(changed) {
      usual = changed.level;
      levels = changed.levels;
    },
    async [Symbol.asyncDispose]() {
      const written = files.map((file) => once(file, "finish"));
      logger.end();
      await Promise.all(written);
    },
  };
}

function fileOf({ file }: LogSettings): readonly winston.transport[] {
  if (!file) return [];
  const options = { mode: 0o600 };
  const { path: filename, sizeBytes: maxsize, files: maxFiles } = file;
  return [new winston.transports.File({ filename, maxsize, maxFiles, tailable: true, options })];
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
