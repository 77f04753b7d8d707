/**
 * What the demo has to say at its end. Pure.
 *
 * In:   the two runs.
 * Out:  lines for people; and whether nothing is missing.
 */
import type { Run } from "./one-run.ts";
import type { Screen } from "./screen.ts";
import { barsOf, nameOf, sumsOf, verdictOf, type Way } from "./timeline.ts";

/** What a line holds besides the bar: name, time, remark. */
const BESIDE_BAR = 36;

const SAME_OBJECTS =
  "Both runs made the same objects, under the same UIDs: doing it twice leaves nothing twice in a PACS.";

export interface Report {
  readonly lines: readonly string[];
  readonly isComplete: boolean;
}

export function reportOf(sequential: Run, concurrent: Run, screen: Pick<Screen, "colour" | "width">): Report {
  const ways = [...sequential.ways, ...concurrent.ways];
  const [first, second] = [sumsOf(sequential.ways), sumsOf(concurrent.ways)];
  const notes = [...new Set(concurrent.keptOut)].map((reason) => `A series went to no model: ${reason}`);
  for (const { complaint } of [sequential, concurrent]) if (complaint !== undefined) notes.push(complaint);
  if (ways.length === 0) return { lines: [...notes, "No model was asked."], isComplete: false };
  const scale = Math.max(first.totalMs, second.totalMs, 1);
  const style = { width: Math.max(20, screen.width - BESIDE_BAR), colour: screen.colour };
  const isSettled = sequential.isSettled && concurrent.isSettled;
  const isComplete =
    isSettled && !ways.some(isMissing) && ways.some(({ outcome }) => outcome === "delivered");
  return {
    lines: [
      ...notes,
      "",
      "Seconds since the last image was sent   ░ waits  ▓ model at work  ▒ made into a SEG  ▏ in the PACS",
      "",
      "One after another",
      ...barsOf(sequential.ways, scale, style),
      "",
      "All at once",
      ...barsOf(concurrent.ways, scale, style),
      "",
      ...(isComplete ? verdictOf(first, second) : failuresOf(ways)),
      ...(isComplete && haveSameObjects(sequential, concurrent) ? [SAME_OBJECTS] : []),
    ],
    isComplete,
  };
}

function failuresOf(ways: readonly Way[]): readonly string[] {
  const reasons = ways.filter(isMissing).map((way) => `  ${nameOf(way)}: ${way.reason ?? way.outcome}`);
  return ["Something is missing, so the runs cannot be compared:", ...new Set(reasons)];
}

function haveSameObjects(a: Run, b: Run): boolean {
  const uids = (run: Run): ReadonlySet<string> => new Set(run.segmentations.map((one) => one.sopInstanceUid));
  const [first, second] = [uids(a), uids(b)];
  return first.size > 0 && first.size === second.size && [...first].every((uid) => second.has(uid));
}

function isMissing({ outcome }: Way): boolean {
  return outcome === "failed" || outcome === "missing";
}

/** Each SEG that the PACS has. */
export function tableOf({ segmentations }: Run): readonly string[] {
  if (segmentations.length === 0) return ["", "No segmentation arrived."];
  const rows = segmentations.map(({ seriesDescription, segments, frames, bytes, status }) => [
    seriesDescription,
    String(segments),
    String(frames),
    `${(bytes / 1e6).toFixed(1)} MB`,
    status === 0 ? "stored (0000H)" : `${status.toString(16).toUpperCase().padStart(4, "0")}H`,
  ]);
  const table = [["DICOM SEG in the PACS", "segments", "frames", "size", "status"], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lineOf = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at === 0 || at === 4 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join("  ")
      .trimEnd();
  return ["", ...table.map(lineOf)];
}
