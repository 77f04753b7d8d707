/**
 * The demo's child processes: models and nodes. None of them outlives this one.
 *
 * Three nets: disposing ends each child and waits for it; when this process exits, however, those left are killed;
 * and a child ends by itself when its standard input does, which happens even if this process is killed.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { LogFields } from "../base/log.ts";
import { MODELS, type ModelName } from "./models/models.ts";

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Disposing sends SIGTERM, and SIGKILL if that does not help. */
interface RunningProcess extends AsyncDisposable {
  readonly process: Child;
  /** What it said on standard error, the last of it. */
  complaints(): string;
}

export interface RunningModel extends RunningProcess {
  readonly name: ModelName;
  /** Where it is asked. */
  readonly url: string;
  readonly thinkMs: number;
}

export interface RunningNode extends RunningProcess {
  /** Of its DICOM listener. */
  readonly port: number;
}

/** A line of the node's log. */
export interface NodeEvent
  extends Pick<LogFields, "model" | "seriesUid" | "sopInstanceUid" | "reason" | "count" | "port"> {
  readonly event: string;
  /** ISO 8601. */
  readonly time: string;
}

/** How long a child may take to end after SIGTERM. */
const GRACE_MS = 8_000;
const KEPT_COMPLAINTS = 4_000;
const EXTENSION = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

const children = new Set<Child>();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** @throws Error if the process ends before it is ready */
export async function startModel(
  name: ModelName,
  options: { readonly thinkMs: number },
): Promise<RunningModel> {
  const model = start([script("./models/server"), "--model", name, "--think", String(options.thinkMs)]);
  const line = await lineWith(model.lines, () => true);
  if (line === undefined) throw await failed(model, `Demo model ${name}`);
  const { port } = JSON.parse(line) as { readonly port: number };
  return { ...model, name, thinkMs: options.thinkMs, url: `http://127.0.0.1:${port}${MODELS[name].path}` };
}

/**
 * @param config   its log must be JSON
 * @param onEvent  for every line of its log
 * @throws         Error if the process ends before it listens
 */
export async function startNode(config: string, onEvent: (event: NodeEvent) => void): Promise<RunningNode> {
  const tied = new URL(`./tied${EXTENSION}`, import.meta.url).href;
  const node = start(["--import", tied, script("../main"), "start", "-c", config]);
  node.lines.on("line", (line) => {
    const event = eventIn(line);
    if (event) onEvent(event);
  });
  const line = await lineWith(node.lines, (text) => eventIn(text)?.event === "node.started");
  if (line === undefined) throw await failed(node, "The node");
  return { ...node, port: eventIn(line)?.port ?? 0 };
}

interface Started extends RunningProcess {
  readonly lines: Interface;
}

function start(args: readonly string[]): Started {
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "pipe"] });
  const exited = once(child, "exit");
  children.add(child);
  void exited.then(() => children.delete(child));
  child.stdin.on("error", () => {}); // it may be gone already; nothing is ever written
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-KEPT_COMPLAINTS);
  });
  return {
    process: child,
    lines: createInterface(child.stdout),
    complaints: () => complaints,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const grace = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
      await exited;
      clearTimeout(grace);
    },
  };
}

/** The first line that `isWanted`; undefined if the process ends before. */
function lineWith(lines: Interface, isWanted: (line: string) => boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const onLine = (line: string): void => {
      if (isWanted(line)) resolve(line);
    };
    lines.on("line", onLine).once("close", () => resolve(undefined));
  });
}

async function failed(child: Started, what: string): Promise<Error> {
  await child[Symbol.asyncDispose]();
  return new Error(`${what} ended before it was ready: ${child.complaints().trim() || "no reason given"}`);
}

function eventIn(line: string): NodeEvent | undefined {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === "object" && event !== null && "event" in event ? (event as NodeEvent) : undefined;
  } catch {
    return undefined; // config problems are printed as plain text
  }
}

function script(path: string): string {
  return fileURLToPath(new URL(path + EXTENSION, import.meta.url));
}
