import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { send } from "../../src/commands/send.ts";
import { freePort } from "../support/free-port.ts";
import { startPacs } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { tempFolder } from "../support/temp.ts";

async function sent(folder: string, to: string): Promise<readonly [code: number, text: string]> {
  let text = "";
  const code = await send({ folder, to, calling: "CT1" }, { write: (more) => (text += more) });
  return [code, text];
}

test("a folder is sent, and what is no DICOM file is passed over with its reason", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "pacs"));
  await using pacs = await startPacs(join(folder.path, "pacs"));
  const images = join(folder.path, "images");
  await writeSeries(images, { slices: 3 });
  await writeFile(join(images, "notes.txt"), "no image");
  const [code, text] = await sent(images, `PACS@127.0.0.1:${pacs.port}`);
  expect([code, pacs.stored.length]).toEqual([0, 3]);
  expect(text).toMatch(/passed over .*notes\.txt: /);
  expect(text).toMatch(/3 of 3 stored by PACS@127\.0\.0\.1/);
});

test("what the peer refuses is counted by status", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "pacs"));
  await using pacs = await startPacs(join(folder.path, "pacs"), {
    answer: (_, at) => (at === 1 ? 0xa700 : 0),
  });
  const images = join(folder.path, "images");
  await writeSeries(images, { slices: 3 });
  const [code, text] = await sent(images, `PACS@127.0.0.1:${pacs.port}`);
  expect(code).toBe(1);
  expect(text).toMatch(/2 of 3 stored.*\n1 refused with status A700H/);
});

test.each([
  ["PACS", /is not AE@HOST:PORT, for example/],
  ["PACS@host:99999", /is not AE@HOST:PORT/],
  ["A_TITLE_OF_18_CHARS@host:104", /is not AE@HOST:PORT/],
])("%s is no peer", async (to, complaint) => {
  const [code, text] = await sent("/", to);
  expect(code).toBe(1);
  expect(text).toMatch(complaint);
});

test("a peer that is not there and a folder without files are told", async () => {
  await using folder = await tempFolder();
  const nobody = `PACS@127.0.0.1:${await freePort()}`;
  expect((await sent(folder.path, nobody))[1]).toMatch(/no DICOM files/);
  await writeSeries(folder.path, { slices: 1 });
  const [code, text] = await sent(folder.path, nobody);
  expect(code).toBe(1);
  expect(text).toMatch(/PACS@127\.0\.0\.1:\d+: /);
});
