/** A node in a process of its own, under strace where a test wants to see its system calls or to meddle with them. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

export interface NodeUnder {
  /** Undefined if the process ended before it listened. */
  readonly port: number | undefined;
  readonly startedMs: number;
  /** Events of its log lines, in order. */
  readonly lines: readonly { readonly event: string; readonly level: string }[];
  readonly exited: Promise<number | null>;
  readonly hasExited: boolean;
  readonly pid: number;
  kill(signal?: NodeJS.Signals): void;
}

export interface Under {
  /** Holds src/ and node_modules. */
  readonly root: string;
  readonly config: string;
  /** Arguments of strace; none: the node runs without it. */
  readonly strace?: readonly string[];
  /** Another program to run it under, with its arguments; it must exec what follows. */
  readonly prefix?: readonly string[];
  /** strace counts calls by thread: with one in the pool, the n-th call of the node is the n-th of that thread. */
  readonly threads?: number;
}

export async function startNodeUnder({
  root,
  config,
  strace,
  prefix = [],
  threads = 1,
}: Under): Promise<NodeUnder> {
  const command = [process.execPath, "src/main.ts", "start", "-c", config];
  // -D: strace is a grandchild, the node our child, so that signals and the exit are the node's own.
  const [program = "", ...rest] = strace
    ? [...prefix, "strace", "-D", "-f", ...strace, ...command]
    : [...prefix, ...command];
  const began = performance.now();
  const child: ChildProcessByStdio<null, Readable, null> = spawn(program, rest, {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, UV_THREADPOOL_SIZE: String(threads) },
  });
  const lines: { event: string; level: string }[] = [];
  const { promise: port, resolve } = Promise.withResolvers<number | undefined>();
  const exited = once(child, "close").then(([code]) => code as number | null);
  void exited.then(() => resolve(undefined));
  createInterface(child.stdout).on("line", (text) => {
    if (!text.startsWith("{") || !text.endsWith("}")) return; // cut by the kill
    const line = JSON.parse(text) as { event: string; level: string; port?: number };
    lines.push(line);
    if (line.event === "node.started") resolve(line.port);
  });
  return {
    port: await port,
    startedMs: performance.now() - began,
    lines,
    exited,
    pid: child.pid ?? 0,
    get hasExited() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    kill: (signal = "SIGKILL") => void child.kill(signal),
  };
}

/** Folder of the program itself. */
export const ROOT = join(import.meta.dirname, "../..");
