/**
 * Disks and limits of the process: full, without inodes, slow, dead; small files, few descriptors, little memory.
 *
 * The node runs in a mount namespace of its own, over a small disk that is gone with it. Each time: nothing that was
 * answered Success is lost, what cannot be kept is refused, and the node goes on by itself when it can again.
 */
import { spawnSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { associate } from "../../src/association/scu.ts";
import type { NodeError } from "../../src/base/errors.ts";
import { parseAeTitle } from "../../src/dicom/ae-title.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import type { InstanceUid } from "../../src/dicom/uid.ts";
import { type NodeUnder, ROOT, startNodeUnder } from "../crash/node-under.ts";
import { ctImage, explicit } from "../support/bytes.ts";
import { hasProgram, testIf } from "../support/data.ts";
import { configText } from "../support/rig.ts";
import { tempFolder } from "../support/temp.ts";

const isRoot = process.getuid?.() === 0;
const canMount = isRoot && spawnSync("unshare", ["--mount", "true"]).status === 0;
const testWithMount = testIf(canMount, "the right to mount a small disk");
const testWithStrace = testIf(hasProgram("strace"), "strace");
const testWithPrlimit = testIf(hasProgram("prlimit"), "prlimit");

const MB = 1_000_000;
const KEPT = 0;
const REFUSED = 0xa700;
/** The association is refused already: the peer may come again. */
const LATER = "ASSOCIATION_REJECTED_TRANSIENT";

interface Bench extends AsyncDisposable {
  readonly folder: string;
  readonly node: NodeUnder;
  readonly port: number;
  /** Runs a program where the node sees its disk. @returns its output */
  inside(...command: readonly string[]): string;
}

interface BenchOptions {
  /** Options of a tmpfs at the data folder. */
  readonly tmpfs?: string;
  readonly reserve?: string;
  readonly prefix?: readonly string[];
  readonly strace?: readonly string[];
}

async function bench(options: BenchOptions): Promise<Bench> {
  await using parts = new AsyncDisposableStack();
  const folder = parts.use(await tempFolder()).path;
  const data = join(folder, "data");
  await mkdir(data);
  const config = join(folder, "node.yaml");
  const text = configText(folder, { pacsPort: 1, models: {} });
  await writeFile(config, text.replace("reserve: 1MiB", `reserve: ${options.reserve ?? "1MiB"}`));
  const mount = `mount -t tmpfs -o ${options.tmpfs} tmpfs ${data} && exec "$@"`;
  const prefix = options.tmpfs === undefined ? [] : ["unshare", "--mount", "sh", "-c", mount, "sh"];
  const node = await startNodeUnder({
    root: ROOT,
    config,
    threads: 4,
    prefix: [...prefix, ...(options.prefix ?? [])],
    ...(options.strace && { strace: options.strace }),
  });
  parts.defer(async () => {
    node.kill();
    await node.exited;
  });
  if (node.port === undefined) throw new Error("the node did not start");
  const release = parts.move();
  return {
    folder,
    node,
    port: node.port,
    inside: (...command) =>
      spawnSync("nsenter", ["-t", String(node.pid), "-m", ...command], { encoding: "utf8" }).stdout,
    [Symbol.asyncDispose]: () => release.disposeAsync(),
  };
}

/** Each image by an association of its own, as senders that try again do. @returns statuses, or why there is none */
async function send(port: number, first: number, count: number, bytes: number): Promise<(number | string)[]> {
  const statuses: (number | string)[] = [];
  for (let number = first; number < first + count; number++) {
    statuses.push(await sendOne(port, number, bytes).catch((error: unknown) => (error as NodeError).code));
  }
  return statuses;
}

async function sendOne(port: number, number: number, bytes: number): Promise<number> {
  const sopInstanceUid = `1.2.3.4.5.${number}` as InstanceUid;
  const uid = explicit("00080018", "UI", sopInstanceUid + (sopInstanceUid.length % 2 ? "\0" : ""));
  const dataSet = ctImage({ "00080018": uid, "7fe00010": explicit("7fe00010", "OW", "", bytes) });
  const transferSyntaxUid = TRANSFER_SYNTAX.EXPLICIT_VR_LITTLE_ENDIAN;
  const sopClassUid = SOP_CLASS.CT_IMAGE;
  await using association = await associate(
    { aeTitle: parseAeTitle("ISOCENTER")!, host: "127.0.0.1", port },
    {
      callingAeTitle: parseAeTitle("SCANNER")!,
      contexts: [{ abstractSyntax: sopClassUid, transferSyntaxes: [transferSyntaxUid] }],
      connectTimeoutMs: 5_000,
      answerTimeoutMs: 60_000,
    },
  );
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield dataSet;
    for (let sent = 0; sent < bytes; sent += MB) yield new Uint8Array(Math.min(MB, bytes - sent));
  }
  const { status } = await association.store({
    sopClassUid,
    sopInstanceUid,
    transferSyntaxUid,
    dataSet: whole(),
  });
  return status;
}

function unexpected(statuses: readonly (number | string)[]): readonly (number | string)[] {
  return statuses.filter((status) => status !== KEPT && status !== REFUSED && status !== LATER);
}

/** Files in the spool that hold an instance; an empty one was made ahead for the next. */
function kept({ inside, folder }: Bench): number {
  return inside("find", join(folder, "data", "instances"), "-type", "f", "-size", "+0")
    .split("\n")
    .filter(Boolean).length;
}

async function echoMs(port: number): Promise<number> {
  const began = performance.now();
  const association = await associate(
    { aeTitle: parseAeTitle("ISOCENTER")!, host: "127.0.0.1", port },
    {
      callingAeTitle: parseAeTitle("SCANNER")!,
      contexts: [
        {
          abstractSyntax: SOP_CLASS.VERIFICATION,
          transferSyntaxes: [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN],
        },
      ],
      connectTimeoutMs: 10_000,
      answerTimeoutMs: 10_000,
    },
  );
  await association[Symbol.asyncDispose]();
  return performance.now() - began;
}

testWithMount(
  "below its reserve the node refuses before the disk is full, and goes on by itself when there is room",
  async () => {
    await using here = await bench({ tmpfs: "size=64m", reserve: "16MiB" });
    const statuses = await send(here.port, 1, 100, 2 * MB);
    const good = statuses.filter((status) => status === KEPT).length;
    expect(good).toBeGreaterThan(10);
    expect(statuses).toContain(LATER);
    expect(unexpected(statuses)).toEqual([]);
    expect(statuses.at(-1)).not.toBe(KEPT);
    expect(kept(here)).toBe(good);
    const free =
      Number(here.inside("df", "--output=avail", "-k", join(here.folder, "data")).split("\n")[1]) * 1024;
    expect(free).toBeGreaterThan(4 * MB); // room for results and the ledger
    expect(here.node.lines.filter(({ event }) => event === "intake.full")).toHaveLength(1);
    // What was there before goes elsewhere: half of the files, as retention would do.
    here.inside(
      "sh",
      "-c",
      `cd ${join(here.folder, "data", "instances")} && find . -size +0 | head -10 | xargs rm`,
    );
    await expect
      .poll(async () => (await send(here.port, 500, 1, MB))[0], { timeout: 10_000, interval: 500 })
      .toBe(KEPT);
  },
  120_000,
);

testWithMount(
  "one instance that is larger than the disk is refused, and leaves the reserve to the ledger",
  async () => {
    await using here = await bench({ tmpfs: "size=64m", reserve: "24MiB" });
    expect(await send(here.port, 1, 1, MB)).toEqual([KEPT]);
    expect(await send(here.port, 2, 1, 200 * MB)).toEqual([REFUSED]);
    expect(kept(here)).toBe(1);
    await expect.poll(async () => (await send(here.port, 3, 1, MB))[0], { timeout: 10_000 }).toBe(KEPT);
  },
  60_000,
);

testWithMount(
  "a disk that is full to the last byte, ledger and all, loses nothing acknowledged and is used again later",
  async () => {
    await using here = await bench({ tmpfs: "size=48m", reserve: "0B" });
    const statuses = await send(here.port, 1, 40, 2 * MB);
    const good = statuses.filter((status) => status === KEPT).length;
    expect(good).toBeGreaterThan(10);
    expect(unexpected(statuses)).toEqual([]);
    expect(kept(here)).toBe(good);
    const first = here.inside(
      "sh",
      "-c",
      `cd ${join(here.folder, "data", "instances")} && find . -size +0 | head -3 | xargs rm`,
    );
    expect(first).toBe("");
    await expect.poll(async () => (await send(here.port, 500, 1, MB))[0], { timeout: 10_000 }).toBe(KEPT);
  },
  120_000,
);

testWithMount(
  "a disk without inodes is a full disk",
  async () => {
    await using here = await bench({ tmpfs: "size=64m,nr_inodes=40" });
    const statuses = await send(here.port, 1, 50, 10_000);
    const good = statuses.filter((status) => status === KEPT).length;
    expect(good).toBeGreaterThan(10);
    expect(unexpected(statuses)).toEqual([]);
    expect(kept(here)).toBe(good);
    here.inside(
      "sh",
      "-c",
      `cd ${join(here.folder, "data", "instances")} && find . -size +0 | head -3 | xargs rm`,
    );
    await expect.poll(async () => (await send(here.port, 500, 1, 10_000))[0], { timeout: 10_000 }).toBe(KEPT);
  },
  60_000,
);

testWithStrace(
  "while each flush takes 200 ms, images are answered later and a C-ECHO within two seconds",
  async () => {
    const slow = ["-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_enter=200000"];
    await using here = await bench({ strace: ["-o", "/dev/null", ...slow] });
    const sending = Promise.all([1, 101, 201].map((first) => send(here.port, first, 8, 500_000)));
    const times: number[] = [];
    for (let at = 0; at < 10; at++) times.push(await echoMs(here.port));
    expect((await sending).flat().every((status) => status === KEPT)).toBe(true);
    expect(Math.max(...times)).toBeLessThan(2_000);
  },
  120_000,
);

testWithPrlimit(
  "an instance above the largest file the system allows is refused, and the next is kept",
  async () => {
    await using here = await bench({ prefix: ["prlimit", "--fsize=20000000"] });
    expect(await send(here.port, 1, 1, 30 * MB)).toEqual([REFUSED]);
    expect(await send(here.port, 2, 1, MB)).toEqual([KEPT]);
    expect(here.node.hasExited).toBe(false);
  },
  60_000,
);

testWithPrlimit(
  "with few descriptors and many connections the node neither dies nor spins, and takes images afterwards",
  async () => {
    await using here = await bench({ prefix: ["prlimit", "--nofile=64"] });
    const open: Socket[] = [];
    for (let at = 0; at < 100; at++) {
      const socket = connect(here.port, "127.0.0.1");
      socket.on("error", () => {});
      open.push(socket);
    }
    await sleep(1_000);
    const before = await cpuMs(here.node.pid);
    await sleep(3_000);
    const busy = (await cpuMs(here.node.pid)) - before;
    for (const socket of open) socket.destroy();
    await expect
      .poll(async () => (await send(here.port, 1, 1, MB))[0], { timeout: 20_000, interval: 500 })
      .toBe(KEPT);
    expect(here.node.hasExited).toBe(false);
    expect(busy).toBeLessThan(1_500); // half of one core would be a loop
  },
  90_000,
);

testWithPrlimit(
  "an instance of 600 MB passes through a heap of 128 MB",
  async () => {
    await using here = await bench({ prefix: ["env", "NODE_OPTIONS=--max-old-space-size=128"] });
    expect(await send(here.port, 1, 1, 600 * MB)).toEqual([KEPT]);
    const status = await readFile(`/proc/${here.node.pid}/status`, "utf8");
    const peakMb = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) / 1024;
    expect(peakMb).toBeLessThan(512);
  },
  120_000,
);

testWithPrlimit("a second node on the same folder ends with a sentence, and the first goes on", async () => {
  await using here = await bench({});
  const config = join(here.folder, "node.yaml");
  const second = await startNodeUnder({ root: ROOT, config });
  expect(second.port).toBeUndefined();
  expect(await second.exited).toBe(1);
  expect(second.lines.map(({ event }) => event)).toEqual(["node.failed"]);
  expect(await send(here.port, 1, 1, MB)).toEqual([KEPT]);
  here.node.kill();
  await here.node.exited;
  const third = await startNodeUnder({ root: ROOT, config });
  expect(third.port).toBeGreaterThan(0);
  third.kill();
  await third.exited;
});

/** Of all threads, from /proc. */
async function cpuMs(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, "utf8")).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
