/**
 * Things a test needs that are not part of the project: real DICOM files, other programs.
 *
 * Where one is missing the tests that need it are skipped, and say so; in CI they fail.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "vitest";

const DATA_FOLDER = fileURLToPath(new URL("../../../shared/data", import.meta.url));

/** `test`, if the thing is there. */
export function testIf(present: boolean, what: string): typeof test | typeof test.skip {
  if (present) return test;
  if (process.env["CI"] === "true") throw new Error(`${what} is missing`);
  process.stderr.write(`skipped: ${what} is missing\n`);
  return test.skip;
}

export function hasData(): boolean {
  return existsSync(DATA_FOLDER);
}

export function hasProgram(name: string): boolean {
  return spawnSync("which", [name]).status === 0;
}

/** `test`, if the real DICOM files are there. */
export function testWithData(): typeof test | typeof test.skip {
  return testIf(hasData(), "../shared/data");
}

/** `test`, if the real DICOM files and the program are there. */
export function testWithDataAnd(program: string): typeof test | typeof test.skip {
  return testIf(hasData() && hasProgram(program), `../shared/data or ${program}`);
}

export function dataPath(...names: readonly string[]): string {
  return join(DATA_FOLDER, ...names);
}

/** All DICOM files of a folder of the data set, as absolute paths in alphabetical order. */
export function dataFiles(...names: readonly string[]): readonly string[] {
  const folder = dataPath(...names);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !["README.md", "SHA256SUMS"].includes(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
