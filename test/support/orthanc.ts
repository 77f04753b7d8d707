/** Orthanc as the real PACS: started over an empty folder, asked by its REST API. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.ts";

export interface Orthanc extends AsyncDisposable {
  readonly dicomPort: number;
  /** The answer of a GET, as JSON. */
  get(path: string): Promise<unknown>;
  bytes(path: string): Promise<Uint8Array>;
}

const READY_WITHIN_MS = 20_000;

/** @param more  settings of Orthanc, beside the usual ones */
export async function startOrthanc(
  folder: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Orthanc> {
  const [dicomPort, httpPort] = [await freePort(), await freePort()];
  const storage = join(folder, "orthanc");
  await mkdir(storage, { recursive: true });
  const config = join(folder, "orthanc.json");
  const settings = {
    Name: "Test PACS",
    DicomAet: "PACS",
    DicomPort: dicomPort,
    DicomCheckCalledAet: true,
    DicomAlwaysAllowStore: true,
    HttpPort: httpPort,
    RemoteAccessAllowed: false,
    AuthenticationEnabled: false,
    StorageDirectory: storage,
    IndexDirectory: storage,
    Plugins: [],
    ...more,
  };
  await writeFile(config, JSON.stringify(settings));
  const child = spawn("Orthanc", [config], { stdio: "ignore" });
  const exited = once(child, "exit");
  const fetchFrom = async (path: string): Promise<Response> => {
    const response = await fetch(`http://127.0.0.1:${httpPort}${path}`);
    if (!response.ok) throw new Error(`Orthanc answers ${response.status} for ${path}`);
    return response;
  };
  for (const begin = performance.now(); ; await sleep(50)) {
    if (child.exitCode !== null) throw new Error(`Orthanc ended with ${child.exitCode}`);
    if (performance.now() - begin > READY_WITHIN_MS) throw new Error("Orthanc does not become ready");
    if (
      await fetchFrom("/system").then(
        () => true,
        () => false,
      )
    )
      break;
  }
  return {
    dicomPort,
    get: async (path) => (await fetchFrom(path)).json(),
    bytes: async (path) => new Uint8Array(await (await fetchFrom(path)).arrayBuffer()),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
