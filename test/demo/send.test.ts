/** The demo's sender and its PACS, each against itself and against DCMTK. */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Received, readSegmentation, startPacs } from "../../src/demo/pacs.ts";
import { readFolder, send } from "../../src/demo/send.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { run, startStorescp, testWithDcmtk } from "../support/dcmtk.ts";
import { writeSeries } from "../support/phantom.ts";
import { tempFolder } from "../support/temp.ts";

const SENDER = { callingAeTitle: parseAeTitle("SENDER")! };
const PACS = parseAeTitle("PACS")!;

test("what is sent arrives whole, subfolders too, and what is no DICOM file is left out with a reason", async () => {
  await using folder = await tempFolder();
  const images = join(folder.path, "images");
  await writeSeries(join(images, "inner"));
  await writeFile(join(images, "readme.txt"), "not an image");
  const { files, skipped } = await readFolder(images);
  expect(files).toHaveLength(3);
  expect(skipped).toEqual([
    { path: join(images, "readme.txt"), reason: expect.stringContaining("DICOM file: ") },
  ]);

  const received: Received[] = [];
  const kept = join(folder.path, "kept");
  await mkdir(kept);
  await using pacs = await startPacs(kept, { aeTitle: PACS, port: 0 }, (one) => received.push(one));
  const progress: string[] = [];
  const sent = await send(
    files,
    { aeTitle: PACS, host: "127.0.0.1", port: pacs.port },
    {
      ...SENDER,
      onProgress: (done, total) => progress.push(`${done}/${total}`),
    },
  );
  expect(sent).toEqual({ stored: 3, refused: new Map() });
  expect(progress).toEqual(["1/3", "2/3", "3/3"]);
  expect((await readdir(kept)).sort()).toEqual(["0001.dcm", "0002.dcm", "0003.dcm"]);
  for (const [at, file] of files.entries()) {
    const source = (await readFile(file.path)).subarray(file.offset);
    const copy = await readFile(received[at]!.path);
    expect(copy.subarray(copy.length - source.length).equals(source)).toBe(true);
    expect(received[at]).toMatchObject({ sopInstanceUid: file.sopInstanceUid, status: 0 });
  }
  expect(await readSegmentation(received[0]!)).toBeUndefined();
});

testWithDcmtk("storescp gets what is sent, and storescu is served", async () => {
  await using folder = await tempFolder();
  await writeSeries(join(folder.path, "images"));
  const { files } = await readFolder(join(folder.path, "images"));
  const theirs = join(folder.path, "theirs");
  await mkdir(theirs);
  await using scp = await startStorescp(["-od", theirs, "-aet", "PACS"]);
  const sent = await send(files, { aeTitle: PACS, host: "127.0.0.1", port: scp.port }, SENDER);
  expect(sent.stored).toBe(3);
  expect(await readdir(theirs)).toHaveLength(3);

  const received: Received[] = [];
  const ours = join(folder.path, "ours");
  await mkdir(ours);
  await using pacs = await startPacs(ours, { aeTitle: PACS, port: 0 }, (one) => received.push(one));
  const paths = files.map(({ path }) => path);
  const { code } = await run("storescu", ["-aec", "PACS", "127.0.0.1", String(pacs.port), ...paths]);
  expect(code).toBe(0);
  expect(received.map(({ sopInstanceUid }) => sopInstanceUid)).toEqual(
    files.map((file) => file.sopInstanceUid),
  );
});

test("a presentation context that the peer refuses is counted, and the rest is sent", async () => {
  await using folder = await tempFolder();
  await writeSeries(folder.path);
  const { files } = await readFolder(folder.path);
  const odd = { ...files[0]!, sopClassUid: "1.2.3.4" as (typeof files)[0]["sopClassUid"] };
  const kept = join(folder.path, "kept");
  await mkdir(kept);
  await using pacs = await startPacs(kept, { aeTitle: PACS, port: 0 }, () => {});
  const sent = await send([odd, ...files], { aeTitle: PACS, host: "127.0.0.1", port: pacs.port }, SENDER);
  expect(sent).toEqual({ stored: 3, refused: new Map([[0x0122, 1]]) });
});
