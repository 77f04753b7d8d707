/**
 * One trial: a node is killed at one point of one study and started again, until all is done; then the oracles speak.
 *
 * The scanner repeats only what was not acknowledged: an image that was, and is gone, stays gone.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tempFolder } from "../support/temp.ts";
import { type NodeUnder, startNodeUnder } from "./node-under.ts";
import { unfinished, violations } from "./oracles.ts";
import { createWorld, type World } from "./world.ts";

/** A moment to kill the node at. */
export type Point =
  /** As it begins the n-th call of this kind, in a thread; `path`, seen from the data folder, narrows it. */
  | { readonly kind: "call"; readonly call: string; readonly path?: string; readonly nth: number }
  /** As it sends the n-th piece to any peer; the peer gets it or does not. */
  | { readonly kind: "send"; readonly nth: number; readonly arrives: boolean };

/** First start, second start, and so on; those after the last go undisturbed. */
export type Plan = readonly Point[];

export interface Outcome {
  readonly violations: readonly string[];
  /** How many of the plan's kills happened. */
  readonly kills: number;
  readonly slowestStartMs: number;
}

const PATIENCE_MS = 45_000;
const MOST_STARTS = 6;
const TRACE_WITHIN_MS = 20_000;

/** @param expected  by destination: the objects of the undisturbed run */
export async function trial(
  plan: Plan,
  options: { readonly root: string; readonly expected: ReadonlyMap<string, ReadonlySet<string>> },
): Promise<Outcome> {
  await using folder = await tempFolder();
  await using world = await createWorld(folder.path);
  const found: string[] = [];
  let kills = 0;
  let slowestStartMs = 0;
  const until = performance.now() + PATIENCE_MS;
  for (let start = 0; start < MOST_STARTS; start++) {
    const node = await startAt(plan[start], world, options.root);
    slowestStartMs = Math.max(slowestStartMs, node.startedMs);
    const ended = await Promise.race([
      node.exited.then(() => "killed" as const),
      finished(world, node, until),
    ]);
    if (ended === "killed") {
      kills++;
      if (start >= plan.length) found.push("drains: the node ended by itself");
      continue;
    }
    if (ended === "late") found.push(`drains: not after ${PATIENCE_MS} ms`);
    node.kill("SIGTERM");
    const code = await Promise.race([node.exited, sleep(30_000, "late" as const, { ref: false })]);
    if (code === null && start < plan.length) {
      kills++; // in the stop
      continue;
    }
    if (code !== 0) found.push(`clean: the stop ended with ${code}`);
    node.kill();
    break;
  }
  found.push(...(await violations(world, options.expected)));
  return { violations: found, kills, slowestStartMs };
}

async function startAt(point: Point | undefined, world: World, root: string): Promise<NodeUnder> {
  world.nodePort = undefined;
  let node: NodeUnder | undefined;
  let sent = 0;
  let dead = false;
  world.onSent = () => {
    if (point?.kind !== "send") return true;
    if (dead) return false;
    if (++sent < point.nth) return true;
    dead = true;
    node?.kill();
    return point.arrives;
  };
  const strace =
    point?.kind === "call" ? ["-o", "/dev/null", ...injected(point, world.dataFolder)] : undefined;
  node = await startNodeUnder({ root, config: world.config, ...(strace && { strace }) });
  world.nodePort = node.port;
  return node;
}

function injected(
  { call, path, nth }: Extract<Point, { kind: "call" }>,
  dataFolder: string,
): readonly string[] {
  const narrow = path === undefined ? [] : ["-P", join(dataFolder, path)];
  return [...narrow, "-e", `trace=${call}`, "-e", `inject=${call}:signal=SIGKILL:when=${nth}`];
}

/** Cannot reject. Sends what is left, again if that fails, and waits for the node to have nothing to do. */
async function finished(world: World, node: NodeUnder, until: number): Promise<"finished" | "late"> {
  while (performance.now() < until) {
    if (node.hasExited) return new Promise(() => {}); // the other side of the race tells
    try {
      await world.send();
      if (unfinished(world).length === 0) return "finished";
    } catch {
      // The node was killed, or its connection was; it is asked again.
    }
    await sleep(50);
  }
  return "late";
}

/** The undisturbed run, traced: what it made, the calls it made, the pieces it sent. */
export async function undisturbed(root: string): Promise<{
  readonly trace: string;
  readonly nodePort: number;
  readonly dataFolder: string;
  readonly archivePorts: readonly number[];
  readonly sends: number;
  readonly violations: readonly string[];
  readonly results: ReadonlyMap<string, ReadonlySet<string>>;
}> {
  await using folder = await tempFolder();
  await using world = await createWorld(folder.path);
  let sends = 0;
  world.onSent = () => ++sends > 0;
  const path = join(folder.path, "trace");
  const strace = [
    "-yy",
    "-o",
    path,
    "-e",
    "trace=fsync,fdatasync,rename,renameat2,unlink,write,writev,openat",
  ];
  const node = await startNodeUnder({ root, config: world.config, strace });
  world.nodePort = node.port;
  const ended = await finished(world, node, performance.now() + PATIENCE_MS);
  node.kill("SIGTERM");
  await node.exited;
  return {
    trace: await wholeTrace(path),
    nodePort: node.port ?? 0,
    dataFolder: world.dataFolder,
    archivePorts: world.archivePorts,
    sends,
    violations: [...(ended === "late" ? ["drains: late"] : []), ...(await violations(world, undefined))],
    results: new Map(
      Array.from(world.archives, ([name, { stored }]) => [
        name,
        new Set(stored.map(({ sopInstanceUid }) => sopInstanceUid)),
      ]),
    ),
  };
}

/** strace is no child of ours: its last line tells that it is done. */
async function wholeTrace(path: string): Promise<string> {
  for (const until = performance.now() + TRACE_WITHIN_MS; ; ) {
    const text = await readFile(path, "utf8");
    const first = /^\d+/.exec(text)?.[0];
    if (new RegExp(`\n${first} +\\+{3} exited`).test(text)) return text; // short ids are padded
    if (performance.now() > until) throw new Error("strace left no whole trace");
    await sleep(20);
  }
}
