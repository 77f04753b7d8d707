/** What is wrong with one study or one peer is seen, said once, and harms nothing else. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { freePort } from "../support/free-port.ts";
import { startModelDouble } from "../support/model-double.ts";
import { startPacs } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { ONE_SEGMENT, RAW_NIFTI } from "../support/rig.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";
import { ABOVE, pathsOf, sortedByPosition, stage } from "./stage.ts";

const REST = `${RAW_NIFTI}, ${ONE_SEGMENT}`;

/** The last byte of a file is another one. */
async function flip(folder: string, ending: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const bytes = await readFile(join(folder, name));
    if (!name.endsWith(ending) || bytes.length === 0) continue; // a spare file of the spool
    bytes[bytes.length - 1]! ^= 1;
    return writeFile(join(folder, name), bytes);
  }
}

test("an image whose bytes changed on the disk is never sent to a model", async () => {
  await using rig = await stage({ assembly: "{ settle: 1s, quietPeriod: 2s, maximumWait: 1m }" });
  await send(rig.paths, rig.port);
  await flip(join(rig.folder, "data", "instances"), ".dcm");
  const [ended] = await rig.journal.said("run.ended");
  expect(ended).toMatchObject({ code: "STORED_DAMAGED" });
  expect(ended?.reason).toMatch(/1 images are not as they were received/);
  expect(rig.model.requests).toHaveLength(0);
});

test("a result whose bytes changed on the disk is held and never sent", async () => {
  await using rig = await stage({ pacs: { busyAtFirst: 1 } });
  await send(rig.paths, rig.port);
  await rig.journal.said("delivery.postponed");
  await flip(join(rig.folder, "data", "results"), ".dcm");
  const [held] = await rig.journal.said("delivery.held");
  expect(held?.reason).toMatch(/not as it was made/);
  expect(rig.pacs.stored).toHaveLength(0);
});

test("a study whose images name two patients is quarantined; another study goes on", async () => {
  await using rig = await stage({ assembly: "{ settle: 1s, quietPeriod: 2s, maximumWait: 1m }" });
  const extra = (slice: number) => ({ PatientID: slice === 1 ? "PAT-2" : "PAT-1" });
  const mixed = await writeSeries(join(rig.folder, "mixed"), { seed: "mixed", columns: 16, rows: 12, extra });
  expect(await send(pathsOf(mixed), rig.port)).toEqual([0, 0, 0]);
  const [quarantined] = await rig.journal.said("series.quarantined");
  expect(quarantined?.reason).toBe("its images name two patients");
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  expect(rig.model.requests).toHaveLength(1);
});

test("images that come while a model works end the run: what it says of the old ones never leaves", async () => {
  let asked = 0;
  await using model = await startModelDouble(({ body }) => {
    const reply = threshold(body, ABOVE);
    return ++asked === 1 && reply.kind === "answer" ? { ...reply, afterMs: 20_000 } : reply;
  });
  await using rig = await stage({ slices: 4, models: { bone: { url: model.origin, rest: REST } } });
  const inOrder = await sortedByPosition(rig.paths);
  await send(inOrder.slice(0, 3), rig.port);
  await model.asked(1);
  await send(inOrder.slice(3), rig.port);
  const [ended] = await rig.journal.said("run.ended");
  expect(ended?.code).toBe("SUPERSEDED");
  await rig.pacs.arrived(1);
  expect(rig.pacs.stored).toHaveLength(1);
  expect(model.lost).toBe(1);
});

test("a PACS that is away gets one try now and then, not one for each result; back, it gets them all at once", async () => {
  await using folder = await tempFolder();
  await using model = await startModelDouble(({ body }) => threshold(body, ABOVE));
  const names = ["a", "b", "c", "d", "e", "f"];
  const models = Object.fromEntries(
    names.map((name) => [name, { url: `${model.origin}/${name}`, rest: REST }]),
  );
  const port = await freePort();
  await using rig = await stage({ pacsPort: port, models });
  await send(rig.paths, rig.port);
  const [down] = await rig.journal.said("destination.down");
  expect(down?.waitMs).toBeLessThanOrEqual(5_000);
  await rig.journal.said("segmentation.done", names.length);
  expect(rig.journal.of("delivery.postponed")).toHaveLength(3);
  await using pacs = await startPacs(folder.path, { port });
  await pacs.arrived(names.length);
  await rig.journal.said("delivery.done", names.length);
  expect(rig.journal.of("destination.up")).toHaveLength(1);
  expect(rig.journal.of("destination.down")).toHaveLength(1);
  expect(rig.journal.of("delivery.postponed").length).toBeLessThan(7);
});
