/** What DCMTK reads in a file: `dcmdump`, its lines as elements. Another implementation to compare ours with. */
import { spawnSync } from "node:child_process";

export interface Dumped {
  /** 0 at top level, 1 in an item of a sequence there, and so on. */
  readonly depth: number;
  readonly tag: number;
  readonly vr: string;
  /** Undefined: undefined length. */
  readonly length: number | undefined;
  /** As printed: strings without brackets, numbers separated by backslashes, `undefined` if not printed. */
  readonly value: string | undefined;
}

const LINE = /^( *)\(([0-9a-f]{4}),([0-9a-f]{4})\) (..|\?\?) (.*?) *# +(\d+|u\/l), *\d+ .+$/;

/**
 * @param options  of dcmdump, besides those that make the lines readable here
 * @returns  by path: all elements and items in the order of the file, text as Latin-1; files that DCMTK refuses
 *           are left out
 */
export function dcmdump(
  paths: readonly string[],
  options: readonly string[] = [],
): ReadonlyMap<string, readonly Dumped[]> {
  const readable = ["-q", "-Un", "+L", "-M", "+R", "64", "+F"];
  const { error, stdout } = spawnSync("dcmdump", [...readable, ...options, ...paths], {
    encoding: "latin1",
    maxBuffer: 256 * 1024 * 1024,
  });
  if (error) throw error;
  const files = stdout.split(/^# dcmdump \(\d+\/\d+\): /m).slice(1);
  return new Map(files.map(linesOf).filter(([, lines]) => lines.length > 0));
}

function linesOf(printed: string): readonly [path: string, elements: readonly Dumped[]] {
  const [path = "", ...rest] = printed.split("\n");
  const lines: string[] = [];
  for (const line of rest) {
    if (/^ *\([0-9a-f]{4},[0-9a-f]{4}\) /.test(line)) lines.push(line);
    else if (!line.startsWith("#") && lines.length > 0) lines[lines.length - 1] += `\n${line}`;
  }
  return [path, lines.map((line) => elementOf(line.replace(/\n+$/, "")))];
}

function elementOf(line: string): Dumped {
  const parts = new RegExp(LINE, "s").exec(line);
  if (!parts) throw new Error(`dcmdump: ${JSON.stringify(line)}`);
  const [, indent = "", group = "", element = "", vr = "", value = "", length = ""] = parts;
  return {
    depth: Math.floor(indent.length / 4),
    tag: Number.parseInt(group + element, 16),
    vr: vr === "up" ? "UL" : vr, // offsets in a DICOMDIR
    length: length === "u/l" ? undefined : Number(length),
    value: valueOf(value),
  };
}

function valueOf(printed: string): string | undefined {
  if (printed === "(no value available)") return "";
  if (printed.startsWith("(")) return undefined;
  return printed.startsWith("[") ? printed.slice(1, -1) : printed;
}
