import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { NodeError } from "../../src/base/errors.ts";
import { Outbox } from "../../src/delivery/outbox.ts";
import type { RunId } from "../../src/ledger/records.ts";
import { tempFolder } from "../support/temp.ts";

const run = "2.25.7" as RunId;
const other = "2.25.71" as RunId;

test("files have their names once all are whole", async () => {
  await using folder = await tempFolder();
  await using outbox = await Outbox.open(folder.path);
  const names = ["2.25.7.binary1.dcm", "2.25.7.binary2.dcm"];
  await outbox.put(run, async (prefix) => {
    for (const end of [".binary1.dcm.part", ".binary2.dcm.part"]) await writeFile(prefix + end, end);
    expect(await readdir(folder.path)).toEqual(names.map((name) => `${name}.part`));
    return { kind: "seg", objects: names.map((name) => ({ name })) };
  });
  expect(await readdir(folder.path)).toEqual(names);
  expect(await readFile(outbox.pathOf(names[1]!), "utf8")).toBe(".binary2.dcm.part");
});

test("what is not finished leaves no file, which on a full disk would keep it full; other runs keep theirs", async () => {
  await using folder = await tempFolder();
  await using outbox = await Outbox.open(folder.path);
  await writeFile(join(folder.path, `${other}.binary1.dcm.part`), "being written");
  await writeFile(join(folder.path, `${run}.binary1.dcm`), "of the same run before a crash");
  const put = outbox.put(run, async (prefix) => {
    for (const end of [".binary1.dcm.part", ".labelmap1.dcm.part"]) await writeFile(prefix + end, "half");
    throw new NodeError("STORAGE_FULL", "Segmentation: no space left");
  });
  await expect(put).rejects.toMatchObject({ code: "STORAGE_FULL" });
  expect(await readdir(folder.path)).toEqual(["2.25.7.binary1.dcm", "2.25.71.binary1.dcm.part"]);
});

test("what a process that died left half is gone when the outbox opens", async () => {
  await using folder = await tempFolder();
  for (const name of ["2.25.7.binary1.dcm", "2.25.71.binary1.dcm.part"])
    await writeFile(join(folder.path, name), "");
  await using _ = await Outbox.open(folder.path);
  expect(await readdir(folder.path)).toEqual(["2.25.7.binary1.dcm"]);
});
