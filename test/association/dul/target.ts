/**
 * The servers the suite is pointed at, each a process of its own, seen from outside: its port, what it keeps, what it
 * prints, what it costs.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../support/free-port.ts";

export interface Kept {
  readonly path: string;
  readonly bytes: number;
}

export interface Target extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** After so long a peer that does not go on is let go. */
  readonly longestTimeoutMs: number;
  /** How long an answer is waited for. */
  readonly patienceMs: number;
  readonly isAlive: () => boolean;
  /** Files it has made, finished or not; but for those the node makes ahead, which are empty. */
  readonly kept: () => Promise<readonly Kept[]>;
  /** Descriptors it holds; but for those of files made ahead. */
  readonly descriptors: () => Promise<number>;
  /** All it has printed. */
  readonly output: () => string;
}

/** As long as a good peer would wait at least. */
const PATIENCE_MS = 2_000;
/** Longer than any answer of the node takes, even where the machine has others to serve. */
const OWN_PATIENCE_MS = 8_000;
/** The largest instance that the node of the suite takes. */
export const INSTANCE_LIMIT_MIB = 64;
export const ASSOCIATIONS = 25;

export interface NodeTimeouts {
  readonly artim: string;
  readonly idle: string;
  readonly inactivity: string;
  readonly longestMs: number;
}

/** Those of the default config. */
export const DEFAULTS: NodeTimeouts = { artim: "25s", idle: "60s", inactivity: "25s", longestMs: 60_000 };
/** Short, but not so short that a busy machine makes a good peer look bad. */
const SHORT: NodeTimeouts = { artim: "4s", idle: "4s", inactivity: "4s", longestMs: 4_000 };

const SMALL_HEAP = ["--max-old-space-size=96", "--max-semi-space-size=4"];

export async function startNodeTarget(
  folder: string,
  timeouts: NodeTimeouts = SHORT,
  instanceLength = `${INSTANCE_LIMIT_MIB}MiB`,
): Promise<Target> {
  const config = join(folder, "node.yaml");
  const { artim, idle, inactivity } = timeouts;
  await writeFile(
    config,
    `
node: { aeTitle: ISOCENTER, dataDir: ${join(folder, "data")}, reserve: 1MiB, stopWithin: 5s, workers: 1 }
dicom:
  listen: { host: 127.0.0.1, port: 0 }
  callers: [{ aeTitle: "*", from: 127.0.0.1 }]
  acceptDeflated: true
  limits: { associations: ${ASSOCIATIONS}, instanceLength: ${instanceLength} }
  timeouts: { artim: ${artim}, idle: ${idle}, inactivity: ${inactivity} }
assembly: { quietPeriod: 1h, maximumWait: 24h }
log: { level: debug }
`,
  );
  // With a small heap garbage goes soon: what stays in memory is seen.
  const child = spawn(process.execPath, [...SMALL_HEAP, "src/main.ts", "start", "-c", config], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const running = watched("node", child, join(folder, "data", "instances"), timeouts.longestMs);
  const port = await printed(running, /"event":"node\.started".*?"port":(\d+)|"port":(\d+).*"node\.started"/);
  const kept = async (): Promise<readonly Kept[]> => (await running.kept()).filter(({ bytes }) => bytes > 0);
  const descriptors = async (): Promise<number> => {
    const files = await filesOf(running.pid);
    const ahead = new Set((await running.kept()).filter(({ bytes }) => bytes === 0).map(({ path }) => path));
    return files.filter((path) => !ahead.has(path)).length;
  };
  return { ...running, port, patienceMs: OWN_PATIENCE_MS, kept, descriptors };
}

/** @param args  such as --fork */
export async function startStorescpTarget(folder: string, args: readonly string[] = []): Promise<Target> {
  const kept = join(folder, "kept");
  await mkdir(kept);
  const port = await freePort();
  // No instance is counted that is only named ".part": storescp writes under the last name at once.
  const child = spawn("storescp", [...args, "-aet", "ISOCENTER", "-od", kept, String(port)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TCP_NODELAY: "1" },
  });
  const name = ["storescp", ...args].join(" ");
  await listening(port);
  return { ...watched(name, child, kept, 30_000), port };
}

/** A server as the README of dcmjs-dimse has it. */
export async function startDcmjsTarget(folder: string): Promise<Target> {
  const kept = join(folder, "kept");
  await mkdir(kept);
  const port = await freePort();
  const script = fileURLToPath(new URL("dcmjs-server.ts", import.meta.url));
  const child = spawn(process.execPath, [script, String(port), kept], { stdio: ["ignore", "pipe", "pipe"] });
  await listening(port);
  return { ...watched("dcmjs-dimse", child, kept, 60_000), port };
}

function watched(
  name: string,
  child: ChildProcess,
  folder: string,
  longestTimeoutMs: number,
): Omit<Target, "port"> {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const exited = once(child, "exit");
  return {
    name,
    pid: child.pid ?? 0,
    longestTimeoutMs,
    patienceMs: PATIENCE_MS,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    kept: () => filesIn(folder),
    descriptors: async () => (await filesOf(child.pid ?? 0)).length,
    output: () => output,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function printed(target: Omit<Target, "port">, pattern: RegExp): Promise<number> {
  for (;;) {
    const found = pattern.exec(target.output());
    if (found) return Number(found[1] ?? found[2]);
    if (!target.isAlive()) throw new Error(`${target.name} ended: ${target.output()}`);
    await sleep(20);
  }
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect({ port, host: "127.0.0.1" });
    try {
      await once(socket, "connect");
      return;
    } catch {
      await sleep(20);
    } finally {
      socket.destroy();
    }
  }
}

async function filesIn(folder: string): Promise<readonly Kept[]> {
  const files: Kept[] = [];
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined); // it may just be removed
    if (found) files.push({ path, bytes: found.size });
  }
  return files;
}

/** Linux only: what the descriptors of a process are of. */
async function filesOf(pid: number): Promise<readonly string[]> {
  const fds = await readdir(`/proc/${pid}/fd`);
  const paths = fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => undefined));
  return (await Promise.all(paths)).filter((path) => path !== undefined);
}

/** Resident memory now, in MB. */
export async function rssMb(pid: number): Promise<number> {
  return memoryMb(pid, "VmRSS");
}

async function memoryMb(pid: number, field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
}

/** The largest RSS since the last time this was asked, in MB. */
export async function peakMb(pid: number): Promise<number> {
  const peak = await memoryMb(pid, "VmHWM");
  await writeFile(`/proc/${pid}/clear_refs`, "5").catch(() => {});
  return peak;
}
