/**
 * One thread of the pool (worker-pool.ts): imports the module it is told, calls the function, answers.
 *
 * V8 does not count the memory of SharedArrayBuffers, so a thread that holds nothing else would keep gigabytes of
 * volumes until its next collection, which may never come. So it collects its youngest objects after every task.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort } from "node:worker_threads";
import { NodeError } from "./errors.ts";
import type { Answer } from "./worker-pool.ts";

interface Call {
  readonly module: string;
  readonly name: string;
  readonly input: unknown;
}

const port = parentPort;
if (!port) throw new Error("bug: worker-thread.ts runs only in a worker");

async function answer(call: Call): Promise<Answer> {
  try {
    const module = (await import(call.module)) as Record<string, (input: unknown) => unknown>;
    const run = module[call.name];
    if (!run) throw new Error(`bug: ${call.module} does not export ${call.name}`);
    return { kind: "done", value: await run(call.input) };
  } catch (error) {
    return error instanceof NodeError
      ? { kind: "failed", error, code: error.code }
      : { kind: "failed", error };
  }
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as (options: { readonly type: "minor" }) => void;

port.on("message", (call: Call) => {
  void answer(call).then((result) => {
    port.postMessage(result);
    setImmediate(collect, { type: "minor" }); // the call and its result are out of use by then
  });
});
