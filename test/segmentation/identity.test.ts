import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import type { SegInput } from "../../src/segmentation/input.ts";
import { inside, items, readElements, textAt } from "../support/seg-reader.ts";
import { BINARY, encodedAll, encodedOne, LABELMAP, LABELMAP_RLE } from "./encoded.ts";
import { AXIAL, boxes, findingsOf, inputFor, labelMap, stack } from "./series.ts";

const series = stack({ columns: 20, rows: 18, slices: 5, orientation: AXIAL, step: [0, 0, 2] });
const map = labelMap(series, boxes(series.size, 3));
const input = inputFor(series, map);

function fileOf(input: SegInput): Uint8Array {
  return encodedOne(input).file;
}

interface Uids {
  readonly sop: string;
  readonly series: string;
  readonly tracking: readonly (string | undefined)[];
}

function uidsOf(input: SegInput): Uids {
  const dataSet = readElements(fileOf(input));
  return {
    sop: textAt(dataSet, "00080018")!,
    series: textAt(dataSet, "0020000e")!,
    tracking: items(dataSet, "00620002").map((segment) => textAt(segment, "00620021")),
  };
}

const before = uidsOf(input);

test("the same result in two processes and time zones is the same file, byte for byte", async () => {
  const script = new URL("./encode-once.ts", import.meta.url).pathname;
  const run = async (zone: string, order: string): Promise<string> => {
    const env = { ...process.env, TZ: zone };
    return (await promisify(execFile)(process.execPath, [script, order], { env })).stdout.trim();
  };
  const hash = createHash("sha256");
  for (const { file } of encodedAll(input, BINARY, LABELMAP, LABELMAP_RLE).objects) hash.update(file);
  const expected = hash.digest("hex");
  expect(await run("Asia/Tokyo", "as-is")).toBe(expected);
  expect(await run("America/St_Johns", "reversed")).toBe(expected);
});

test("8 and 16 bits per label are the same result", () => {
  const wide = { ...map, labels: Uint16Array.from(map.labels) };
  expect(Buffer.compare(fileOf({ ...input, findings: findingsOf(wide) }), fileOf(input))).toBe(0);
});

test.each([
  ["model version", { model: { name: "mandible", version: "1.2.1" } }],
  ["revision of the series", { revision: 2 }],
  ["set of instances", { allInstances: input.allInstances.slice(1) }],
] as const)("another %s makes another object of the same things", (_, change) => {
  const after = uidsOf({ ...input, ...change });
  expect(after.sop).not.toBe(before.sop);
  expect(after.series).not.toBe(before.series);
  expect(after.tracking).toEqual(before.tracking);
});

test("one voxel more makes another object of the same things", () => {
  const labels = Uint8Array.from(map.labels);
  labels[labels.indexOf(0)] = 1;
  const after = uidsOf({ ...input, findings: findingsOf({ ...map, labels }) });
  expect(after.sop).not.toBe(before.sop);
  expect(after.tracking).toEqual(before.tracking);
});

test("another meaning or colour of a label makes another object", () => {
  const change = (changes: object): Uids =>
    uidsOf({
      ...input,
      segments: new Map([...input.segments].map(([value, one]) => [value, { ...one, ...changes }])),
    });
  const jaw = { scheme: "SCT", value: "661005", meaning: "Jaw region" };
  const changes = [
    { type: jaw },
    { modifier: jaw },
    { anatomy: jaw },
    { anatomyModifier: jaw },
    { trackingId: "jaw" },
    { color: [1, 2, 3] },
  ];
  const sops = changes.map((each) => change(each).sop);
  expect(new Set([before.sop, ...sops]).size).toBe(7);
});

test("more labels on missing slices, which the object counts, make another object", () => {
  const source = { ...series.source, frames: series.source.frames.toSpliced(2, 1), slices: [0, 1, 3, 4] };
  const on = (columns: number) => {
    const lost = labelMap(series, (i, j, k) =>
      k === 2 ? Number(i < columns) : map.labels[i + 20 * (j + 18 * k)]!,
    );
    return uidsOf({ ...input, source, findings: findingsOf(lost) }).sop;
  };
  expect(on(3)).toBe(on(3));
  expect(on(3)).not.toBe(on(4));
});

test("another model tracks other things", () => {
  const after = uidsOf({ ...input, model: { name: "teeth", version: "1.2.0" } });
  expect(after.tracking.filter((uid) => before.tracking.includes(uid))).toEqual([]);
});

test("a later answer with the same labels is the same object", () => {
  expect(uidsOf({ ...input, resultAt: input.resultAt + 60_000 })).toEqual(before);
});

test("every UID is a UUID under 2.25: at most 39 digits, none with a leading zero", () => {
  const dataSet = readElements(fileOf(input));
  const organization = textAt(inside(dataSet, "00209221"), "00209164");
  for (const uid of [before.sop, before.series, organization, ...before.tracking]) {
    expect(uid).toMatch(/^2\.25\.[1-9]\d{0,38}$/);
    expect(BigInt(uid!.slice(5)) < 2n ** 128n).toBe(true);
  }
});
