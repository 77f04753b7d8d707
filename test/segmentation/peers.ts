/** Other software and real data the tests lean on: absent on a developer's machine they skip, in CI they fail. */
import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { test } from "vitest";

const run = promisify(execFile);

export const DATA = new URL("../../../shared/data/", import.meta.url).pathname;
export const hasData = existsSync(DATA);

/** A test that needs programs of the PATH, or the real data under the name "data"; says what is missing. */
export function needing(...what: readonly string[]): typeof test | typeof test.skip {
  const missing = what.filter((name) => (name === "data" ? !hasData : !isInstalled(name)));
  if (missing.length === 0) return test;
  if (process.env["CI"] === "true") throw new Error(`missing: ${missing.join(", ")}`);
  process.stderr.write(`skipped, missing: ${missing.join(", ")}\n`);
  return test.skip;
}

/** What a validator says, line by line, however it exits. */
export async function said(program: string, ...args: readonly string[]): Promise<readonly string[]> {
  const { stdout, stderr } = await run(program, args).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return `${stdout}${stderr}`.split("\n").filter((line) => line.trim() !== "");
}

function isInstalled(program: string): boolean {
  return spawnSync("which", [program]).status === 0;
}
