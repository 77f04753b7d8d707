// Every real file, read by us and by DCMTK: the same elements, in the same sequences, with the same values.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type DataSet, numbersOf, type Value } from "../../src/dicom/data-set.ts";
import { readPart10, readPart10Header } from "../../src/dicom/part10.ts";
import { dataFiles, dataPath, hasData, hasProgram, testIf } from "../support/data.ts";
import { type Dumped, dcmdump } from "../support/dcmdump.ts";

const testWithDcmdump = testIf(hasData() && hasProgram("dcmdump"), "../shared/data or dcmdump");

const PIXEL_DATA = 0x7fe00010;
const ITEM = 0xfffee000;
const NUMERIC = new Set(["US", "SS", "UL", "SL", "FL", "FD"]);
const TEXT = new Set("AE AS CS DA DS DT IS LO LT PN SH ST TM UC UI UR UT".split(" "));

/** One line for each element and item, the same for both. */
type Line = string;

function ours(dataSet: DataSet, depth = 0): Line[] {
  const lines: Line[] = [];
  for (const [tag, element] of dataSet.elements) {
    if ("items" in element) {
      lines.push(`${depth} ${hex(tag)} SQ`);
      for (const item of element.items) lines.push(`${depth + 1} item`, ...ours(item, depth + 1));
    } else {
      lines.push(line(depth, tag, element.vr, element.bytes.length, valueOf(dataSet, tag, element)));
    }
  }
  return lines;
}

function valueOf(dataSet: DataSet, tag: number, { vr, bytes }: Value): string {
  if (NUMERIC.has(vr)) return numbersOf(dataSet, tag).map(rounded).join("\\");
  return TEXT.has(vr) ? trimmed(Buffer.from(bytes).toString("latin1")) : "";
}

function theirs(dumped: readonly Dumped[]): Line[] {
  const lines: Line[] = [];
  for (const { depth, tag, vr, length, value } of dumped) {
    if (tag === PIXEL_DATA && depth === 0) break;
    if (tag === ITEM) lines.push(`${depth + 1} item`);
    else if (tag >>> 16 === 2 || tag >>> 16 === 0xfffe || (tag & 0xffff) === 0) continue;
    else if (vr === "SQ") lines.push(`${depth} ${hex(tag)} SQ`);
    else if (length === undefined) lines.push(`${depth} ${hex(tag)} undefined length`);
    else if (NUMERIC.has(vr)) {
      const numbers = (value ?? "").split("\\").map(Number).map(rounded);
      lines.push(line(depth, tag, vr, length, numbers.join("\\")));
    } else lines.push(line(depth, tag, vr, length, TEXT.has(vr) ? trimmed(value ?? "") : ""));
  }
  return lines;
}

function line(depth: number, tag: number, vr: string, length: number, value: string): Line {
  // What a private element is, only its maker's dictionary says: DCMTK has some of these, we have none.
  if ((tag >>> 16) & 1) return `${depth} ${hex(tag)} ${length}`;
  return `${depth} ${hex(tag)} ${vr} ${length} ${length === 0 ? "" : value}`;
}

const hex = (tag: number): string => tag.toString(16).padStart(8, "0");
const rounded = (value: number): string => value.toPrecision(6);
/** DCMTK corrects an odd length in nested_priv_SQ.dcm; we show what is there. */
const asStored = (one: Line): Line => (one === "1 00010002 10" ? "1 00010002 9" : one);
const trimmed = (text: string): string =>
  text
    .replaceAll("\r", "")
    .split("\\")
    .map((value) => value.replace(/[\0 \n]+$/, ""))
    .join("\\");

/** DCMTK guesses the encoding of what is not a DICOM file; we refuse it (malformed.test.ts). */
const GUESSED = /NoMeta\.dcm$|no_meta\.dcm$|meta_missing_tsyntax\.dcm$|not-for-segmentation\/rtstruct\.dcm$/;

testWithDcmdump(
  "every file reads as DCMTK reads it",
  () => {
    let compared = 0;
    for (const [path, dumped] of dcmdump(dataFiles(), ["+uc"])) {
      const name = path.slice(dataPath().length + 1);
      if (GUESSED.test(name)) continue;
      let lines: Line[];
      try {
        lines = ours(readPart10(readFileSync(path)).dataSet);
      } catch (error) {
        lines = [(error as Error).message];
      }
      expect.soft(lines, name).toEqual(theirs(dumped).map(asStored));
      compared++;
    }
    expect(compared).toBeGreaterThan(180);
  },
  60_000,
);

testWithDcmdump("the head of every file is the same as in the whole file", async () => {
  for (const path of dataFiles("transfer-syntax")) {
    const whole = readPart10(readFileSync(path));
    const head = await readPart10Header(path);
    expect(ours(head.dataSet), path).toEqual(ours(whole.dataSet));
    expect(head.pixelData, path).toEqual(whole.pixelData);
  }
});
