import { readdir, readFile, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Quarantine } from "../../src/delivery/quarantine.ts";
import type { RunId } from "../../src/ledger/records.ts";
import { tempFolder } from "../support/temp.ts";

const run = (number: number): RunId => `2.25.${number}` as RunId;

test("an answer is kept as it came, for its owner only, and replaced by a later one", async () => {
  await using folder = await tempFolder();
  const quarantine = await Quarantine.open(join(folder.path, "quarantine"));
  await quarantine.keep(run(1), Buffer.from("first"));
  const path = await quarantine.keep(run(1), Buffer.from("second"));
  expect(await readFile(path!, "utf8")).toBe("second");
  expect((await stat(path!)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(folder.path, "quarantine"))).toEqual(["2.25.1.answer"]);
});

test("the hundred newest answers stay", async () => {
  await using folder = await tempFolder();
  const quarantine = await Quarantine.open(folder.path);
  for (let number = 1; number <= 102; number++) {
    const path = await quarantine.keep(run(number), Buffer.from("answer"));
    await utimes(path!, number, number);
  }
  const names = await readdir(folder.path);
  expect(names).toHaveLength(100);
  expect(names).not.toContain("2.25.1.answer");
  expect(names).toContain("2.25.102.answer");
});

test("an answer that would fill the disk is not kept", async () => {
  await using folder = await tempFolder();
  const quarantine = await Quarantine.open(folder.path);
  expect(await quarantine.keep(run(1), new Uint8Array(256 * 1024 * 1024 + 1))).toBeUndefined();
  expect(await readdir(folder.path)).toEqual([]);
});
