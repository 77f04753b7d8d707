/** DCMTK sends everything it can to a running node: what is kept is byte for byte what storescp keeps. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect } from "vitest";
import { TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { readPart10 } from "../../src/dicom/part10.ts";
import { dataFiles, testWithDataAnd } from "../support/data.ts";
import { run, startStorescp } from "../support/dcmtk.ts";
import { Journal, startRig } from "../support/rig.ts";
import { tempFolder } from "../support/temp.ts";

const testWithDcmsend = testWithDataAnd("dcmsend");

/** HTJ2K and Deflated Image Frame Compression are newer than DCMTK 3.6.7, which cannot propose them. */
const UNKNOWN_TO_DCMTK = new Set(["HTJ2KLossless_08_RGB.dcm", "liver_deflate.dcm"]);

testWithDcmsend(
  "every file of the real series and transfer syntaxes is kept as storescp +B keeps it, and C-ECHO is answered all along",
  async () => {
    const files = [...dataFiles("series"), ...dataFiles("transfer-syntax")].filter(
      (path) => !UNKNOWN_TO_DCMTK.has(basename(path)),
    );
    await using folder = await tempFolder();
    const theirs = join(folder.path, "storescp");
    await mkdir(theirs);
    await using storescp = await startStorescp(["+B", "+xa", "+uf", "-od", theirs]);
    const journal = new Journal();
    await using node = await startRig(folder.path, journal, {
      pacsPort: 1,
      models: {},
      deflated: true,
    });

    const sent = new AbortController();
    const echoing = echoTimes(node.port, sent.signal);
    const target = (port: number): string[] => ["-aec", "ISOCENTER", "127.0.0.1", String(port)];
    const toUs = await run("dcmsend", ["-dn", ...target(node.port), ...files]);
    sent.abort();
    const times = await echoing;
    // storescp itself does not take the retired JPEG .55 nor .57: dcmsend is told to go on.
    await run("dcmsend", ["-nh", "-dn", ...target(storescp.port), ...files]);

    expect(toUs).toMatchObject({ code: 0 });
    const ours = await digests(join(folder.path, "data", "instances"));
    const storescpKept = new Set(await digests(theirs));
    const onlyOurs = ours.filter((one) => !storescpKept.has(one));
    expect(ours.length + journal.of("intake.duplicate").length).toBe(files.length);
    expect(onlyOurs.map((one) => one.split(" ")[0])).toEqual([
      TRANSFER_SYNTAX.JPEG_FULL_PROGRESSION,
      TRANSFER_SYNTAX.JPEG_LOSSLESS,
    ]);
    expect(ours.length).toBe(storescpKept.size + onlyOurs.length);
    expect(times.length).toBeGreaterThan(0);
    console.log(`C-ECHO during ${files.length} files, whole echoscu: ${summary(times)}`);
  },
  120_000,
);

/** Milliseconds of echoscu, association and process start included. */
async function echoTimes(port: number, signal: AbortSignal): Promise<number[]> {
  const times: number[] = [];
  while (!signal.aborted) {
    const begin = performance.now();
    const { code } = await run("echoscu", ["-aec", "ISOCENTER", "127.0.0.1", String(port)]);
    expect(code).toBe(0);
    times.push(performance.now() - begin);
  }
  return times;
}

function summary(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number): string => `${sorted[Math.floor(part * (sorted.length - 1))]?.toFixed(1)} ms`;
  return `${sorted.length} times, median ${at(0.5)}, longest ${at(1)}`;
}

async function digests(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  const all = await Promise.all(names.map((name) => digest(join(folder, name))));
  return all.filter((one) => one !== undefined).toSorted();
}

/** Of the data set; an empty file was made ahead for an instance to come. Preamble and meta information are each receiver's own. */
async function digest(path: string): Promise<string | undefined> {
  const file = await readFile(path);
  if (file.length === 0) return undefined;
  const { dataSetOffset, transferSyntaxUid } = readPart10(file);
  const hash = createHash("sha256").update(file.subarray(dataSetOffset)).digest("hex");
  return `${transferSyntaxUid} ${hash}`;
}
