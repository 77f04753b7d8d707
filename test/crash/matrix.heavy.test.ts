// The crash program in a small form, and proof that it sees what it is for: in copies of the node with a fault.
import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { seeded } from "../support/bytes.ts";
import { hasProgram, testIf } from "../support/data.ts";
import { tempFolder } from "../support/temp.ts";
import { matrixOf, type Report, runTrials, sampled } from "./matrix.ts";
import { ROOT } from "./node-under.ts";
import type { Plan } from "./trial.ts";

const testWithStrace = testIf(hasProgram("strace"), "strace");

testWithStrace(
  "killed at points of every kind, the node loses nothing, does nothing twice, and finishes",
  async () => {
    const matrix = await matrixOf(ROOT);
    expect(matrix.violations).toEqual([]);
    expect(matrix.plans.length).toBeGreaterThan(150);
    const plans = sampled(matrix.plans, 24, seeded(7));
    const report = await runTrials(plans, { root: ROOT, expected: matrix.expected, atOnce: 3 });
    expect(report.failures).toEqual([]);
    expect(report.killed).toBeGreaterThan(18);
  },
  300_000,
);

interface Fault {
  readonly what: string;
  readonly file: string;
  readonly sound: string;
  readonly faulty: string;
  /** What the crash program says then. */
  readonly seen: RegExp;
}

const TRACED: readonly Fault[] = [
  {
    what: "Success before the file is flushed",
    file: "intake/spool-file.ts",
    sound: "flushFolder && flushData(created.file)",
    faulty: "undefined",
    seen: /before its file was flushed/,
  },
  {
    what: "Success before the folder is flushed",
    file: "intake/spool.ts",
    sound: "new SharedFlush(() => handle.sync())",
    faulty: "new SharedFlush(async () => {})",
    seen: /before the folder was flushed/,
  },
  {
    what: "Success before the row",
    file: "intake/intake.ts",
    sound: "await this.#record(instance ??",
    faulty: "void this.#record(instance ??",
    seen: /before its row was flushed/,
  },
  {
    what: "a ledger that does not flush each commit",
    file: "ledger/sqlite.ts",
    sound: "if (isChanged && options.isDurable) await this.#flushed();",
    faulty: "",
    seen: /before its row was flushed/,
  },
  {
    what: "a result without a flush of its folder",
    file: "delivery/outbox.ts",
    sound: "await this.#handle.sync();",
    faulty: "",
    seen: /the name of result \d was not flushed/,
  },
];

testWithStrace.each(TRACED)(
  "a copy of the node with a fault is seen by its trace: $what",
  async (fault) => {
    await using folder = await tempFolder();
    const { violations } = await matrixOf(await planted(folder.path, fault));
    expect(violations.join("\n")).toMatch(fault.seen);
  },
  240_000,
);

testWithStrace(
  "a copy of the node that answers before the row is there loses images when it is killed",
  async () => {
    // The third piece it sends is the second image's Success.
    const late = {
      ...TRACED[2]!,
      faulty: "setTimeout((...given) => void this.#record(...given), 50, instance ??",
    };
    const report = await trialsOf(late, [[{ kind: "send", nth: 3, arrives: true }]]);
    expect(said(report)).toMatch(/an acknowledged image has no row/);
  },
  240_000,
);

testWithStrace(
  "a copy of the node whose results have random identities is seen to make them twice",
  async () => {
    const fault: Fault = {
      what: "",
      file: "segmentation/identity.ts",
      sound: "derivedUid(",
      faulty: "derivedUid(String(Math.random()), ",
      seen: /./,
    };
    const report = await trialsOf(fault, [[{ kind: "call", call: "rename", nth: 1 }]]);
    expect(said(report)).toMatch(/an object that the undisturbed run did not make/);
  },
  240_000,
);

async function trialsOf(fault: Fault, plans: readonly Plan[]): Promise<Report> {
  await using folder = await tempFolder();
  const { expected } = await matrixOf(ROOT);
  return await runTrials(plans, { root: await planted(folder.path, fault), expected, atOnce: 1 }); // the folder stays until then
}

function said({ failures }: Report): string {
  return failures.flatMap(({ violations }) => violations).join("\n");
}

/** A copy of the program with one fault in it. @returns its folder */
async function planted(folder: string, { file, sound, faulty }: Fault): Promise<string> {
  for (const name of ["src", "config", "package.json"]) {
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  }
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const path = join(folder, "src", file);
  const source = await readFile(path, "utf8");
  if (!source.includes(sound)) throw new Error(`${file} does not hold: ${sound}`);
  await writeFile(path, source.replaceAll(sound, faulty));
  return folder;
}
