/** A node in a process of its own, as in use: its port, its log events as they come, its peak memory. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

interface LogLine {
  readonly event: string;
  readonly port?: number;
  readonly [field: string]: unknown;
}

export interface NodeProcess extends AsyncDisposable {
  readonly port: number;
  /** The next line with this event. */
  next(event: string): Promise<LogLine>;
  peakRssMb(): Promise<number>;
}

/** The node's threads load their modules after it has started; a node in use did that long ago. */
const WARM_UP_MS = 3_000;

export async function startNodeProcess(config: string): Promise<NodeProcess> {
  const child = spawn(process.execPath, ["src/main.ts", "start", "-c", config], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const waiting = new Set<{ readonly event: string; readonly resolve: (line: LogLine) => void }>();
  createInterface(child.stdout).on("line", (text) => {
    const line = JSON.parse(text) as LogLine;
    for (const one of waiting) {
      if (one.event !== line.event) continue;
      waiting.delete(one);
      one.resolve(line);
    }
  });
  const next = (event: string): Promise<LogLine> =>
    new Promise((resolve) => void waiting.add({ event, resolve }));
  const { port = 0 } = await next("node.started");
  await sleep(WARM_UP_MS);
  return {
    port,
    next,
    peakRssMb: () => peakRssMb(child.pid ?? 0),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Linux only: VmHWM of /proc. */
async function peakRssMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024);
}
