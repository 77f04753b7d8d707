/**
 * `npm run test:crash`: kills the node at a sample of all points of one study; `-- --full` at every one.
 *
 *   --full        every point
 *   --sample N    so many (default 80)
 *   --seed N      of the sample (default 1)
 *   --at-once N   trials side by side (default 4)
 *
 * Exit code 0: all oracles held in all trials.
 */
import { parseArgs } from "node:util";
import { seeded } from "../support/bytes.ts";
import { hasProgram } from "../support/data.ts";
import { kindOf, matrixOf, runTrials, sampled } from "./matrix.ts";
import { ROOT } from "./node-under.ts";

const { values } = parseArgs({
  options: {
    full: { type: "boolean", default: false },
    sample: { type: "string", default: "80" },
    seed: { type: "string", default: "1" },
    "at-once": { type: "string", default: "4" },
  },
});

if (!hasProgram("strace")) {
  console.error("strace is not there: the node cannot be killed at a system call");
  process.exit(2);
}
const began = performance.now();
const matrix = await matrixOf(ROOT);
for (const what of matrix.violations) console.log(`undisturbed: ${what}`);
const plans = values.full
  ? matrix.plans
  : sampled(matrix.plans, Number(values.sample), seeded(Number(values.seed)));
console.log(`N = ${matrix.plans.length} points, ${plans.length} of them now`);
let done = 0;
const tally = new Map<string, { trials: number; killed: number; failed: number }>();
const report = await runTrials(plans, {
  root: ROOT,
  expected: matrix.expected,
  atOnce: Number(values["at-once"]),
  onTrial(plan, { kills, violations }) {
    if (++done % 20 === 0) console.log(`${done} done, ${Math.round((performance.now() - began) / 1000)} s`);
    const kind = kindOf(plan);
    const of = tally.get(kind) ?? { trials: 0, killed: 0, failed: 0 };
    tally.set(kind, of);
    of.trials++;
    if (kills > 0) of.killed++;
    if (violations.length > 0) {
      of.failed++;
      console.log(`FAILED at ${JSON.stringify(plan)}`);
      for (const what of violations) console.log(`  ${what}`);
    }
  },
});
console.log("");
console.log(`${"killed at".padEnd(34)} trials  kills  failures`);
for (const [kind, { trials, killed, failed }] of [...tally].sort()) {
  const cells = [String(trials).padStart(6), String(killed).padStart(6), String(failed).padStart(9)];
  console.log(`${kind.padEnd(34)} ${cells.join(" ")}`);
}
const seconds = Math.round((performance.now() - began) / 1000);
console.log(
  `N = ${matrix.plans.length}: ${report.trials} trials, ${report.killed} kills, ${report.failures.length} failures, ` +
    `slowest start ${Math.round(report.slowestStartMs)} ms, ${seconds} s`,
);
process.exitCode = report.failures.length + matrix.violations.length > 0 ? 1 : 0;
