/**
 * `npm run test:load -- NAME [--minutes N]`: holds the node under load and prints what it measured.
 *
 *   steady   eight senders, 22 MB/s offered, one model, one PACS, for N minutes (default 3)
 *   flood    four senders flat out, 4 GB, beside the same to storescp --fork
 *   backlog  10,000 results queued for a PACS that is down; the node is started; the PACS comes back
 *   large    one study of 5,000 images of half a megabyte
 *
 * Exit code 1 if an image was not answered Success or something was left to do. Times and memory are only printed:
 * they belong to the machine.
 */
import { parseArgs } from "node:util";

const LOADS: Readonly<Record<string, (minutes: number) => Promise<boolean>>> = {
  steady: async (minutes) => (await import("./steady.ts")).steady(minutes),
  flood: async () => (await import("./flood.ts")).flood(),
  backlog: async () => (await import("./backlog.ts")).queued(),
  large: async () => (await import("./large.ts")).large(),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: "string", default: "3" } },
});
const load = LOADS[positionals[0] ?? ""];
if (load) process.exitCode = (await load(Number(values.minutes))) ? 0 : 1;
else {
  process.stderr.write(`npm run test:load -- ${Object.keys(LOADS).join(" | ")} [--minutes N]\n`);
  process.exitCode = 2;
}
