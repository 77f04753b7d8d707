/** The servers that are measured side by side, each a process that is started once. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../support/free-port.ts";
import { configText } from "../support/rig.ts";

export interface Receiver extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** Of the process and those it has started, in seconds since its start. */
  cpuSeconds(): Promise<number>;
  /** The largest resident memory since the last call, in MB. */
  peakRssMb(): Promise<number>;
  rssMb(): Promise<number>;
  /** Removes what it has kept, so that no disk fills. */
  clear(): Promise<void>;
}

const WARM_UP_MS = 3_000;

export async function startIsocenter(folder: string, sync: "on" | "off"): Promise<Receiver> {
  const place = join(folder, `isocenter-${sync}`);
  await mkdir(place);
  const config = join(place, "node.yaml");
  const text = configText(place, {
    pacsPort: 1,
    models: {},
    assembly: "{ quietPeriod: 1h, maximumWait: 24h }",
  });
  await writeFile(config, text.replace("stopWithin: 5s", `stopWithin: 5s, sync: ${sync}`));
  const name = sync === "on" ? "isocenter, durable" : "isocenter, sync: off";
  const options = process.env["PROFILE"] ? ["--cpu-prof", `--cpu-prof-dir=${process.env["PROFILE"]}`] : [];
  const started = await start(
    name,
    [process.execPath, ...options, "src/main.ts", "start", "-c", config],
    join(place, "data", "instances"),
  );
  await sleep(WARM_UP_MS); // its threads load their modules after it has started
  return started;
}

export async function startPlain(folder: string, sync: "on" | "off"): Promise<Receiver> {
  const place = join(folder, `plain-${sync}`);
  await mkdir(place);
  const script = fileURLToPath(new URL("plain-writer.ts", import.meta.url));
  const name = sync === "on" ? "plain writer, durable" : "plain writer";
  return start(name, [process.execPath, script, place, sync], place);
}

export async function startDcmtk(folder: string, args: readonly string[]): Promise<Receiver> {
  const name = ["storescp", ...args].join(" ");
  const place = join(folder, name.replaceAll(" ", ""));
  await mkdir(place);
  const port = await freePort();
  const receiver = await start(name, ["storescp", ...args, "-od", place, String(port)], place, port);
  while (!(await isListening(port))) await sleep(20);
  return receiver;
}

async function start(
  name: string,
  [program = "", ...args]: readonly string[],
  kept: string,
  knownPort?: number,
): Promise<Receiver> {
  const child = spawn(program, args, {
    stdio: ["ignore", knownPort === undefined ? "pipe" : "ignore", "inherit"],
    env: { ...process.env, TCP_NODELAY: "1" },
  });
  const exited = once(child, "exit");
  const pid = child.pid ?? 0;
  return {
    name,
    port: knownPort ?? (await portOf(child.stdout)),
    cpuSeconds: () => cpuSeconds(pid),
    rssMb: () => memoryMb(pid, "VmRSS"),
    async peakRssMb() {
      const peak = await memoryMb(pid, "VmHWM");
      await writeFile(`/proc/${pid}/clear_refs`, "5").catch(() => {});
      return peak;
    },
    async clear() {
      for (const name of await readdir(kept))
        if (name !== "journal") await unlink(join(kept, name)).catch(() => {});
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

async function portOf(stream: NodeJS.ReadableStream | null): Promise<number> {
  let text = "";
  for await (const chunk of stream ?? []) {
    text += String(chunk);
    const found = /^(\d+)$|"port":(\d+)/m.exec(text);
    if (!found) continue;
    stream?.resume();
    return Number(found[1] ?? found[2]);
  }
  throw new Error(`no port: ${text}`);
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Linux only. A hundredth of a second is the unit of /proc. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

async function memoryMb(pid: number, field: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
}
