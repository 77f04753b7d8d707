/** An archive of DCMTK takes the object and gives the same one back. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtempDisposable, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { readElements } from "../support/seg-reader.ts";
import { encodedOne } from "./encoded.ts";
import { needing, said } from "./peers.ts";
import { AXIAL, boxes, inputFor, labelMap, stack } from "./series.ts";

const stored = needing("storescp", "storescu", "echoscu");

async function freePort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return String(typeof address === "object" ? address?.port : 0);
}

stored("the object comes back from storescp with the same pixels and the same description", async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "isocenter-"));
  const inbox = join(folder.path, "in");
  await mkdir(inbox);
  const series = stack({ columns: 53, rows: 41, slices: 5, orientation: AXIAL, step: [0, 0, 2] });
  const { file } = encodedOne(inputFor(series, labelMap(series, boxes(series.size, 3))));
  const path = join(folder.path, "seg.dcm");
  await writeFile(path, file);

  const port = await freePort();
  const archive = spawn("storescp", ["-od", inbox, "-aet", "ARCHIVE", port], { stdio: "ignore" });
  try {
    while ((await said("echoscu", "-to", "5", "127.0.0.1", port)).length > 0) continue;
    expect(await said("storescu", "-R", "-aec", "ARCHIVE", "127.0.0.1", port, path)).toEqual([]);
  } finally {
    archive.kill();
    await once(archive, "exit");
  }
  const [name] = await readdir(inbox);
  const received = readElements(await readFile(join(inbox, name!)));
  const sent = readElements(file);
  expect(Object.keys(received).filter((tag) => tag > "00030000")).toEqual(
    Object.keys(sent).filter((tag) => tag > "00030000"),
  );
  expect(Buffer.from(received["7fe00010"]!.bytes).equals(Buffer.from(sent["7fe00010"]!.bytes))).toBe(true);
});
