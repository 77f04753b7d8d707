/**
 * A config file as `Config`, or everything that is wrong with it at once.
 *
 * In:   a path, or text and the path it stands for.
 * Out:  the config, or problems with file, line and column, in the order of the file.
 * May:  read that file and the presets, and ask how many cores there are.
 */
import { open } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { crossCheck } from "./cross.ts";
import { type Finding, findingsOf, written } from "./problems.ts";
import { type Config, settingsSchema, toConfig } from "./schema.ts";
import { readPresets, withPresets } from "./server-presets.ts";
import { type Place, parseSource, SIZE_LIMIT_BYTES, tooLarge } from "./source.ts";

export type Loaded =
  | { readonly kind: "ok"; readonly config: Config }
  | { readonly kind: "invalid"; readonly problems: readonly Problem[] };

interface Problem extends Place {
  readonly file: string;
  /** The setting, such as rules[0].when; empty for the file itself. */
  readonly path: string;
  /** Begins with the path. */
  readonly message: string;
}

/** More than anyone reads. */
const PROBLEMS_LIMIT = 100;

/** A file that cannot be read is a problem like any other. */
export async function loadConfig(path: string): Promise<Loaded> {
  const whole = (message: string): Loaded => ({
    kind: "invalid",
    problems: [{ file: path, line: 1, column: 1, path: "", message }],
  });
  try {
    await using file = await open(path);
    const buffer = Buffer.alloc(SIZE_LIMIT_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    if (bytesRead > SIZE_LIMIT_BYTES) return whole(tooLarge);
    return parseConfig(new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, bytesRead)), path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    return whole(
      code === "ERR_ENCODING_INVALID_ENCODED_DATA" ? "the file is not UTF-8" : `cannot be read: ${code}`,
    );
  }
}

/** @param file  names the file in problems; relative folders in the config are seen from where it is */
export function parseConfig(text: string, file: string): Loaded {
  const source = parseSource(text);
  if (source.kind === "invalid") {
    return {
      kind: "invalid",
      problems: limited(source.problems.map((each) => ({ ...each, file, path: "" }))),
    };
  }
  const whole = withPresets(source.value ?? {}, readPresets());
  const parsed = settingsSchema.safeParse(whole.value, { reportInput: true });
  const findings = [...whole.findings, ...findingsOf(parsed.error?.issues ?? []), ...crossCheck(whole.value)];
  if (parsed.success && findings.length === 0) {
    const absolute = (path: string) => resolve(dirname(file), path);
    return { kind: "ok", config: toConfig(parsed.data, { cores: availableParallelism(), absolute }) };
  }
  const problems = findings.map(({ path, part, at, message }: Finding): Problem => {
    const { line, column } = source.locate(path, part, at);
    const setting = written(path);
    return { file, line, column, path: setting, message: setting ? `${setting}: ${message}` : message };
  });
  return { kind: "invalid", problems: limited(problems) };
}

function limited(problems: readonly Problem[]): readonly Problem[] {
  const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column);
  const last = sorted[PROBLEMS_LIMIT];
  if (!last) return sorted;
  const message = `and ${sorted.length - PROBLEMS_LIMIT} more problems`;
  return [...sorted.slice(0, PROBLEMS_LIMIT), { ...last, path: "", message }];
}
