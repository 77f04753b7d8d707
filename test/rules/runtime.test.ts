/**
 * Vitest is not the runtime: it takes syntax and imports that Node refuses. So the program is started by Node itself,
 * as `npm start` does.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";

const CONFIG = (dataDir: string): string => `
node: { aeTitle: ISOCENTER, dataDir: ${dataDir} }
dicom: { listen: { host: 127.0.0.1, port: 0 }, callers: [{ aeTitle: "*", from: 127.0.0.1 }] }
destinations: { pacs: { aeTitle: PACS, host: 127.0.0.1, port: 104 } }
models: {}
rules: []
log: { format: json }
`;

test("the node starts under Node itself, says its port, and ends properly at the first SIGTERM", async () => {
  const folder = await mkdtemp(join(tmpdir(), "isocenter-"));
  try {
    const config = join(folder, "node.yaml");
    await writeFile(config, CONFIG(join(folder, "data")));
    const child = spawn(process.execPath, ["src/main.ts", "start", "-c", config], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exit = once(child, "exit");
    const events: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      const { event, port } = JSON.parse(line) as { event: string; port?: number };
      events.push(event);
      if (event !== "node.started") continue;
      expect(port).toBeGreaterThan(0);
      child.kill("SIGTERM");
    }
    expect(await exit).toEqual([0, null]);
    expect(events).toEqual(["node.started", "node.stopping", "node.stopped"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("help names every command", async () => {
  const child = spawn(process.execPath, ["src/main.ts", "--help"], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  for await (const line of createInterface(child.stdout)) lines.push(line);
  for (const command of ["start", "check", "try", "demo"])
    expect(lines.join("\n")).toMatch(new RegExp(`^  ${command}\\b`, "m"));
});
