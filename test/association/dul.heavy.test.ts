/**
 * The conversations of dul.test.ts with the time-outs of the default config, thousands of damaged ones, what it all
 * costs in memory; and the same against other servers, as proof that the suite can fail.
 */
import { readFile } from "node:fs/promises";
import { afterAll, expect, test } from "vitest";
import { readPart10 } from "../../src/dicom/part10.ts";
import { StructureCheck } from "../../src/dicom/structure.ts";
import { testWithDcmtk } from "../support/dcmtk.ts";
import { tempFolder } from "../support/temp.ts";
import type { Result, Verdict } from "./dul/case.ts";
import { converse } from "./dul/conversation.ts";
import { playMutations } from "./dul/mutations.ts";
import { CASES, echoed, OTHERS, play, WAITING } from "./dul/suite.ts";
import {
  DEFAULTS,
  rssMb,
  startDcmjsTarget,
  startNodeTarget,
  startStorescpTarget,
  type Target,
} from "./dul/target.ts";

const lines: string[] = [];
afterAll(() => console.log(lines.join("\n")));

/** Of the cases that others are shown: a server that hangs in many of them would cost an hour. */
const EVERY = 6;
const MUTATIONS = 2_000;
const DRIFT_MB = 32;
const ECHO_MS = 2_000;

test("with the default time-outs every peer that stops, trickles or says nothing is let go in time", async () => {
  await using folder = await tempFolder();
  await using target = await startNodeTarget(folder.path, DEFAULTS);
  const results = await Promise.all(
    WAITING.map(async (one) => {
      const began = performance.now();
      const seen = await converse(one, target);
      return { id: one.id, seen, expected: one.answer, seconds: (performance.now() - began) / 1000 };
    }),
  );
  lines.push(`let go after: ${results.map(({ id, seconds }) => `${id} ${seconds.toFixed(1)} s`).join(", ")}`);
  // T17 is an association that is open and silent between messages: that is what `idle` is for.
  for (const { id, seconds, seen, expected } of results) {
    expect([id, seen]).toEqual([id, expected]);
    expect([id, seconds < (id === "T17" ? 62 : 30)]).toEqual([id, true]);
  }
  expect(await echoed(target)).toBe("RSP 0000");
}, 120_000);

test(`${MUTATIONS} damaged conversations leave the node as it was, and nothing it keeps is not whole`, async () => {
  await using folder = await tempFolder();
  await using target = await startNodeTarget(folder.path);
  await playMutations(target, 1_000_000, 500); // warm: buffers and code are there
  const before = await costOf(target);
  const { stuck } = await playMutations(target, 20_251, MUTATIONS);
  expect(stuck).toEqual([]);
  expect(await echoed(target)).toBe("RSP 0000");
  const after = await costOf(target);
  expect(after.fds).toBeLessThanOrEqual(before.fds);
  expect(after.rssMb - before.rssMb).toBeLessThan(DRIFT_MB);
  expect(target.output()).not.toMatch(/"event":"association\.failed"/);
  const kept = await target.kept();
  for (const { path } of kept) {
    const file = await readFile(path);
    const { dataSetOffset } = readPart10(file);
    const check = new StructureCheck({ explicitVr: true, bigEndian: false });
    check.write(file.subarray(dataSetOffset));
    expect([path, check.end()]).toEqual([path, undefined]);
  }
  lines.push(
    `mutations: ${MUTATIONS}, ${kept.length} instances kept, RSS ${rss(before)} to ${rss(after)} MB`,
  );
}, 300_000);

test("half of the suite again and again costs no memory that stays", async () => {
  await using folder = await tempFolder();
  await using target = await startNodeTarget(folder.path);
  const again = async (): Promise<void> => {
    const quick = OTHERS.filter(({ timed, id }) => !timed && id !== "A59" && !id.startsWith("S5"));
    for (const one of quick.filter((_, at) => at % 2 === 0)) await play(one, target, ECHO_MS);
  };
  await again();
  const before = await costOf(target);
  for (let round = 0; round < 2; round += 1) await again();
  const after = await costOf(target);
  lines.push(`suite ×2: RSS ${rss(before)} to ${rss(after)} MB`);
  expect(after.rssMb - before.rssMb).toBeLessThan(DRIFT_MB);
  expect(after.fds).toBeLessThanOrEqual(before.fds);
}, 600_000);

// What other servers do with the same cases. They are not the product: what is asserted is that the suite sees it.
testWithDcmtk(
  "the same suite finds faults in servers that are in use",
  async () => {
    const servers: readonly ((folder: string) => Promise<Target>)[] = [
      startDcmjsTarget,
      (folder) => startStorescpTarget(folder),
      (folder) => startStorescpTarget(folder, ["--fork"]),
    ];
    const faults: Record<string, number> = {};
    for (const start of servers) {
      const results: Result[] = [];
      let name = "";
      let rest = CASES.filter(({ timed, id }) => !timed && !NOT_OF_OTHERS.has(id)).filter(
        (_, at) => at % EVERY === 0,
      );
      while (rest.length > 0) {
        await using folder = await tempFolder();
        await using target = await start(folder.path);
        ({ name } = target);
        await echoed(target);
        // A server that has died, hangs or has grown is started again for the next case.
        for (const one of rest) {
          const result = await play(one, target, ECHO_MS);
          results.push(result);
          rest = rest.slice(1);
          if (["died", "hung", "leaked"].includes(result.verdict)) break;
        }
      }
      const bad = results.filter(({ verdict }) => verdict !== "ok" && verdict !== "weak");
      faults[name] = bad.length;
      lines.push(summary(name, results));
      for (const { id, name, verdict, seen, detail } of bad)
        lines.push(`  ${id} ${name}: ${verdict}, ${seen}${detail ? ` (${detail})` : ""}`);
    }
    expect(faults["dcmjs-dimse"]).toBeGreaterThan(3);
    expect(faults["storescp"]).toBeGreaterThan(0);
  },
  600_000,
);

/** What is ours alone: its limits, its AE title, the syntaxes it takes. */
const NOT_OF_OTHERS = new Set(
  "A06 A07 A08 A10 A11 A12 A13 A17 A45 A46 A59 S04 S05 S35 S36 S37 S51 S59".split(" "),
);

async function costOf(target: Target): Promise<{ readonly fds: number; readonly rssMb: number }> {
  return { fds: await target.descriptors(), rssMb: await rssMb(target.pid) };
}

function summary(name: string, results: readonly Result[]): string {
  const count = (of: Verdict): string => `${results.filter(({ verdict }) => verdict === of).length} ${of}`;
  const all: readonly Verdict[] = ["ok", "weak", "died", "hung", "leaked", "wrong"];
  return `${name}: ${results.length} cases, ${all.map(count).join(", ")}`;
}

function rss({ rssMb }: { readonly rssMb: number }): string {
  return rssMb.toFixed(0);
}
