/** Other software that judges our objects: what it has to say, and tests that need it. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { test } from "vitest";
import { hasData, hasProgram, testIf } from "../support/data.ts";

const run = promisify(execFile);

/** `test`, if the programs are there, and under the name "data" the real DICOM files. */
export function needing(...what: readonly string[]): typeof test | typeof test.skip {
  const missing = what.filter((name) => !(name === "data" ? hasData() : hasProgram(name)));
  return testIf(missing.length === 0, missing.join(", "));
}

/** What a validator says, line by line, however it exits. */
export async function said(program: string, ...args: readonly string[]): Promise<readonly string[]> {
  const { stdout, stderr } = await run(program, args).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return `${stdout}${stderr}`.split("\n").filter((line) => line.trim() !== "");
}
