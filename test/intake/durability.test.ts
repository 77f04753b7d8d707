// Acknowledged is durable: seen in the system calls, after kill -9, on a disk that is full, slow or broken.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { settleOrphans } from "../../src/intake/orphans.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import { hasFile, instancesOf, openSeries } from "../../src/ledger/series.ts";
import { ctImage, explicit } from "../support/bytes.ts";
import { hasProgram, testIf } from "../support/data.ts";
import { tempFolder } from "../support/temp.ts";
import { instancesIn, requestOf, store, testIntake } from "./support.ts";

const CHILD = fileURLToPath(new URL("child.ts", import.meta.url));
const testWithStrace = testIf(hasProgram("strace"), "strace");
const isRoot = process.getuid?.() === 0;
const testWithMount = testIf(isRoot && hasProgram("mount") && canMount(), "the right to mount a small disk");

function canMount(): boolean {
  return spawnSync("unshare", ["--mount", "true"]).status === 0;
}

/** Runs the child under another program, such as strace, to its end. @returns what it answered */
async function run(
  prefix: readonly string[],
  parameters: readonly (string | number)[],
  options: { readonly threads: number } = { threads: 1 },
): Promise<readonly string[]> {
  const [program = "", ...rest] = [...prefix, process.execPath, CHILD, ...parameters.map(String)];
  // strace counts by thread: with one in the pool, the n-th call of the child is the n-th of that thread.
  const env = { ...process.env, UV_THREADPOOL_SIZE: String(options.threads) };
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"], env });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await once(child, "close");
  return text.split("\n").filter((line) => line.startsWith("answered"));
}

// The flushes are slowed down, one kind at a time: whoever does not wait for them is seen to be early.
testWithStrace.each(["fsync", "fdatasync"])(
  "Success is answered after the row is flushed, and the row is written after file and folder are, %s being slow",
  async (slow) => {
    await using folder = await tempFolder();
    const trace = join(folder.path, "trace");
    const calls = [
      "-e",
      "trace=openat,fdatasync,fsync,write,pwrite64",
      "-e",
      `inject=${slow}:delay_enter=30000`,
    ];
    const strace = ["strace", "-f", "-y", "-o", trace, ...calls];
    await run(strace, [folder.path, 1, 40, 300_000], { threads: 4 });
    const answers = answersIn(callsOf(await readFile(trace, "utf8")));
    expect(answers).toHaveLength(40);
    expect(answers.filter(({ fault }) => fault !== undefined)).toEqual([]);
  },
);

interface Call {
  readonly text: string;
  readonly began: number;
  readonly ended: number;
}

/** System calls with the lines at which they began and ended, in the order in which they ended. */
function callsOf(trace: string): readonly Call[] {
  const begun = new Map<string, { readonly text: string; readonly began: number }>();
  const calls: Call[] = [];
  for (const [at, line] of trace.split("\n").entries()) {
    const thread = line.split(" ")[0] ?? "";
    if (line.includes("<unfinished")) begun.set(thread, { text: line, began: at });
    else if (!line.includes(" resumed>")) calls.push({ text: line, began: at, ended: at });
    else {
      const first = begun.get(thread);
      if (first) calls.push({ text: first.text + line, began: first.began, ended: at });
    }
  }
  return calls;
}

/** What has happened before each answer, by what may be believed: the end of a flush that began late enough. */
function answersIn(calls: readonly Call[]): readonly { readonly fault: string | undefined }[] {
  const matching = (pattern: RegExp): readonly Call[] => calls.filter(({ text }) => pattern.test(text));
  const made = matching(/openat\(.*O_CREAT.*\/instances\/[^"]*\.dcm/);
  const files = matching(/fdatasync\(\d+<.*\/instances\/.*\.dcm>/);
  const folders = matching(/fsync\(\d+<[^>]*\/instances>/);
  const written = matching(/pwrite64\(\d+<.*\/ledger\.sqlite-wal>/);
  const rows = matching(/f(data)?sync\(\d+<.*\/ledger\.sqlite-wal>/);
  let last = matching(/write\(1<.*"ready/)[0]?.ended ?? -1;
  return matching(/write\(1<.*"answered/).map((answer) => {
    const [since, before] = [last, answer.began];
    last = answer.ended;
    const file = files.find(({ began, ended }) => began > since && ended < before);
    const name = /[0-9a-f-]{36}\.dcm/.exec(file?.text ?? "")?.[0] ?? "none";
    const creation = made.find(({ text }) => text.includes(name));
    const row = written.find(({ began }) => began > since && began < before);
    if (!file || !creation || !row) return { fault: "no flush of a file, or no row" };
    if (file.ended > row.began) return { fault: "the row is written before the file is flushed" };
    const isNamed = folders.some(({ began, ended }) => began > creation.ended && ended < row.began);
    if (!isNamed) return { fault: "the row is written before the folder is flushed" };
    const writes = written.filter(({ began }) => began > since && began < before);
    const lastWrite = Math.max(...writes.map(({ ended }) => ended));
    const isKept = rows.some(({ began, ended }) => began > lastWrite && ended < before);
    return { fault: isKept ? undefined : "answered before the row is flushed" };
  });
}

test("a process killed while eight associations send loses no instance that it answered Success", async () => {
  await using folder = await tempFolder();
  const acknowledged: string[] = [];
  for (let round = 1; round <= 4; round++) {
    const child = spawn(process.execPath, [CHILD, folder.path, "8", "10000", "50000", String(round)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "close");
    let text = "";
    let answered = 0;
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      answered += chunk.split("answered").length - 1;
      if (answered >= round * 37) child.kill("SIGKILL");
    });
    await ended;
    const whole = text.slice(0, text.lastIndexOf("\n"));
    acknowledged.push(...[...whole.matchAll(/^answered (\S+) 0$/gm)].map(([, uid = ""]) => uid));
  }
  expect(acknowledged.length).toBeGreaterThan(300);
  using ledger = await openLedger(folder.path, { log: silentLog, clock: systemClock });
  const [series] = await openSeries(ledger.store.db);
  const kept = new Map(
    (await instancesOf(ledger.store.db, series!.id)).map((one) => [one.sopInstanceUid as string, one]),
  );
  for (const uid of acknowledged) {
    const path = join(folder.path, "instances", `${kept.get(uid)?.id}.dcm`);
    expect((await stat(path)).size, uid).toBeGreaterThan(kept.get(uid)?.bytes ?? Infinity);
  }
});

test("what was on its way when the process was killed is removed at the next start", async () => {
  await using folder = await tempFolder();
  const child = spawn(process.execPath, [CHILD, folder.path, "8", "10000", "50000"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "close");
  child.stdout.on("data", (chunk: Buffer) => chunk.includes("answered") && child.kill("SIGKILL"));
  await ended;
  await using here = await testIntake(folder.path, { clock: systemClock });
  const { db } = here.ledger.store;
  const { removed, parked } = await settleOrphans(here.spool, join(folder.path, "orphans"), (id) =>
    hasFile(db, id),
  );
  expect(removed + parked).toBeLessThanOrEqual(8 + 24);
  expect(await here.files()).toHaveLength((await db.query("SELECT id FROM instance", [])).length);
});

testWithMount(
  "on a full disk nothing is answered Success that is not kept, and nothing is left of the rest",
  async () => {
    await using folder = await tempFolder();
    const mounted = join(folder.path, "small");
    await mkdir(mounted);
    // A mount namespace of its own: the disk is gone with the process, whatever happens to it.
    const script = `mount -t tmpfs -o size=8m tmpfs ${mounted} && "$@"; cd ${mounted} && find instances -type f -size +0 | wc -l && df --output=avail ${mounted} | tail -1`;
    const shell = ["unshare", "--mount", "sh", "-c", script, "sh"];
    const child = spawnSync(
      shell[0]!,
      [...shell.slice(1), process.execPath, CHILD, mounted, "2", "20", "500000"],
      {
        encoding: "utf8",
      },
    );
    const answers = [...child.stdout.matchAll(/^answered \S+ (\S+)$/gm)].map(([, status]) => status);
    const [files, free] = child.stdout.trim().split("\n").slice(-2).map(Number);
    expect(answers).toHaveLength(40);
    const kept = answers.filter((status) => status === "0").length;
    expect(kept).toBeGreaterThan(5);
    expect(answers.filter((status) => status === "a700")).toHaveLength(40 - kept);
    expect(files).toBe(kept);
    expect(free).toBeGreaterThan(0);
  },
);

// strace makes the n-th flush fail, as a disk would that lost it. With one thread they come in this order: the file of
// the first instance, the log of the ledger, the file of the second, and so on.
testWithStrace("a flush that fails fails its instance, and the others are kept", async () => {
  await using folder = await tempFolder();
  const failing = ["strace", "-f", "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO:when=3"];
  const lines = await run(failing, [folder.path, 1, 6, 50_000]);
  const statuses = lines.map((line) => line.split(" ").at(-1));
  expect(statuses).toEqual(["0", "a700", "0", "0", "0", "0"]);
  expect(await instancesIn(join(folder.path, "instances"))).toHaveLength(5);
});

testWithStrace("a flush of the folder that fails fails the instance that waits for it", async () => {
  await using folder = await tempFolder();
  const failing = ["strace", "-f", "-o", "/dev/null", "-P", join(folder.path, "instances"), "-e"];
  const lines = await run([...failing, "inject=fsync:error=EIO:when=1"], [folder.path, 1, 6, 50_000]);
  const statuses = lines.map((line) => line.split(" ").at(-1));
  expect(statuses).toEqual(["a700", "0", "0", "0", "0", "0"]);
  expect(await instancesIn(join(folder.path, "instances"))).toHaveLength(5);
});

testWithStrace(
  "a row that was not flushed is not Success, until the ledger has been copied and flushed",
  async () => {
    await using folder = await tempFolder();
    const failing = ["strace", "-f", "-o", join(folder.path, "trace"), "-y", "-e", "trace=fdatasync,fsync"];
    const lines = await run(
      [...failing, "-e", "inject=fdatasync:error=EIO:when=2"],
      [folder.path, 1, 3, 50_000],
    );
    expect(lines.map((line) => line.split(" ").at(-1))).toEqual(["a700", "0", "0"]);
    const trace = await readFile(join(folder.path, "trace"), "utf8");
    expect(trace).toMatch(
      /sqlite-wal>\).*EIO[\s\S]*fsync\(\d+<.*sqlite-wal>[\s\S]*fsync\(\d+<.*ledger\.sqlite>/,
    );
    // The first has a row and a file: when the sender comes again it is answered by those.
    await using here = await testIntake(folder.path, { clock: systemClock });
    expect(await here.files()).toHaveLength(3);
    expect(await here.ledger.store.db.query("SELECT COUNT(*) AS count FROM instance", [])).toEqual([
      { count: 3 },
    ]);
  },
);

testWithStrace("a write that fails fails its instance, and its file is removed", async () => {
  for (const fault of ["error=ENOSPC", "error=EIO"]) {
    await using folder = await tempFolder();
    const inject = ["strace", "-f", "-o", "/dev/null", "-e", `inject=writev:${fault}:when=2`];
    const lines = await run(inject, [folder.path, 1, 4, 1_200_000]); // two blocks at once, then the rest
    const statuses = lines.map((line) => line.split(" ").at(-1));
    expect(statuses.filter((status) => status === "a700")).toHaveLength(1);
    expect(await instancesIn(join(folder.path, "instances"))).toHaveLength(3);
  }
});

test("while the disk is behind, the sender is told to wait: at most 4 MB of an instance stand in memory", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path, { clock: systemClock });
  const sink = here.intake.open(requestOf());
  if (typeof sink === "number") throw new Error("refused");
  const taken = (bytes: number): number => {
    let fragments = 1;
    while (sink.write(new Uint8Array(bytes))) fragments++;
    return fragments * bytes;
  };
  // No turn of the event loop passes, so nothing is written: a disk that hangs could not be slower.
  expect(taken(100_000)).toBeLessThanOrEqual(4_200_000);
  await sink.drained();
  expect(taken(65_536)).toBeGreaterThan(3_000_000);
  await sink.drained();
  expect(taken(1_000)).toBeLessThanOrEqual(4_200_000);
  await sink.discard();
});

test("an instance that is not finished holds up no other", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path, { clock: systemClock });
  const slow = here.intake.open(requestOf());
  if (typeof slow === "number") throw new Error("refused");
  slow.write(ctImage());
  const other = ctImage({ "00080018": explicit("00080018", "UI", "1.2.3.4.5.2\0") });
  expect(await store(here.intake, { dataSet: other, sopInstanceUid: "1.2.3.4.5.2" })).toBe(0);
  expect(await slow.finish()).toBe(0);
});

test("an instance of 300 MB goes to the disk without standing in memory or holding up the event loop", async () => {
  await using folder = await tempFolder();
  await using here = await testIntake(folder.path, { clock: systemClock });
  const size = 300_000_000;
  const header = ctImage({ "7fe00010": explicit("7fe00010", "OW", "", size) });
  const sink = here.intake.open(requestOf());
  if (typeof sink === "number") throw new Error("refused");
  sink.write(header);
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let sent = 0; sent < size; sent += 60_000) {
    if (!sink.write(new Uint8Array(Math.min(60_000, size - sent)))) await sink.drained();
    if (sent % 3_000_000 === 0) await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  expect(await sink.finish()).toBe(0);
  expect(most).toBeLessThan(100_000_000); // what waits, and what the collector has not taken yet
  const [name = ""] = await here.files();
  expect((await stat(join(folder.path, "instances", name))).size).toBeGreaterThan(size);
});
