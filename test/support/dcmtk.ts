/** DCMTK, the reference implementation the node is tested against: its command line tools as peers. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { hasProgram, testIf } from "./data.ts";
import { freePort } from "./free-port.ts";

export interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** With Nagle's algorithm on, its default, each message of DCMTK waits 40 ms on loopback. */
const ENVIRONMENT = { ...process.env, TCP_NODELAY: "1" };

/** `test`, if DCMTK is installed. */
export const testWithDcmtk = testIf(hasProgram("storescu") && hasProgram("storescp"), "DCMTK");

/** Runs a tool to its end. */
export async function run(tool: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    execFile(tool, args, { env: ENVIRONMENT, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === "number") resolve({ code, output: stdout + stderr });
      else reject(error ?? new Error(`${tool} has not run`));
    });
  });
}

/** Seconds after which a receiver ends by itself, should the test run be killed before it is disposed. */
const LIFE_SECONDS = "300";

/** storescp on a free port; disposing ends it. */
export async function startStorescp(
  args: readonly string[],
): Promise<AsyncDisposable & { readonly port: number }> {
  const port = await freePort();
  const tool = spawn("timeout", [LIFE_SECONDS, "storescp", ...args, String(port)], {
    env: ENVIRONMENT,
    stdio: "ignore",
  });
  const exited = once(tool, "exit");
  while (!(await isListening(port))) {
    if (tool.exitCode !== null) throw new Error(`storescp ended with ${tool.exitCode}`);
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      tool.kill("SIGTERM"); // timeout passes it on
      await exited;
    },
  };
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect({ port, host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 20)); // it has no way to tell when it is ready
    return false;
  } finally {
    socket.destroy();
  }
}
