/**
 * Cuts the power of a small disk many times while images are received, as far as that can be done in software: ext4
 * on a loop device is shut down without flushing its log, what stands in the page cache alone is gone, and the next
 * mount replays the journal. Then every image answered Success before the cut must be there, byte for byte.
 *
 *   power-cut.ts FOLDER CUTS [PROGRAM…]     in a mount namespace of its own, as root
 *
 * PROGRAM runs the receiving process, strace for example. One line of JSON on standard output: acknowledged, lost.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { readPart10 } from "../../src/dicom/part10.ts";

const CHILD = join(import.meta.dirname, "../intake/child.ts");
const ASSOCIATIONS = 4;
const BYTES = 60_000;
/** EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH; an ioctl needs another language than ours. */
const SHUTDOWN = `open(my $f, "<", $ARGV[0]) or die; my $flags = pack("L", 2); ioctl($f, 0x8004587d, $flags) or die $!`;

const [, , folder = "", cuts = "1", ...program] = process.argv;
const image = join(folder, "disk.img");
const disk = join(folder, "disk");
const data = join(disk, "data");

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

await mkdir(disk);
run("truncate", "-s", "256M", image);
run("mkfs.ext4", "-q", image);
const acknowledged = new Set<string>();
let lost = 0;
for (let round = 1; round <= Number(cuts); round++) {
  run("mount", "-o", "loop", image, disk);
  await mkdir(data, { recursive: true });
  lost += await missing(acknowledged);
  await receiveUntilCut(round);
  run("umount", disk);
}
run("mount", "-o", "loop", image, disk);
lost += await missing(acknowledged);
run("umount", disk);
process.stdout.write(`${JSON.stringify({ acknowledged: acknowledged.size, lost })}\n`);

/** Another number of images each time. An answer that comes once the disk is off is counted for nothing. */
async function receiveUntilCut(round: number): Promise<void> {
  const [command, ...args] = [...program, process.execPath, CHILD];
  const parameters = [data, ASSOCIATIONS, 10_000, BYTES, round].map(String);
  const child = spawn(command, [...args, ...parameters], { stdio: ["ignore", "pipe", "ignore"] });
  const enough = 5 + ((round * 7) % 23);
  const here: string[] = [];
  let rest = "";
  let isCut = false;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    if (isCut) return;
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const [, uid = "", status] = line.split(" ");
      if (status === "0") here.push(uid);
    }
    if (here.length < enough) return;
    run("perl", "-e", SHUTDOWN, disk);
    isCut = true;
    child.kill("SIGKILL");
  });
  await once(child, "close");
  for (const uid of here) acknowledged.add(uid);
}

/** @returns how many of these images the disk does not hold; each is counted once */
async function missing(uids: Set<string>): Promise<number> {
  const rows = instanceRows();
  const bySop = new Map(rows.map((row) => [String(row["sop"]), row]));
  let count = 0;
  for (const uid of uids) {
    const row = bySop.get(uid);
    const isThere =
      row && (await digest(join(data, "instances", `${String(row["id"])}.dcm`))) === row["sha256"];
    if (isThere) continue;
    count++;
    uids.delete(uid);
  }
  return count;
}

/** By SQLite itself: a ledger that is opened may hold the disk for a moment after it was closed. */
function instanceRows(): readonly Record<string, unknown>[] {
  const path = join(data, "ledger.sqlite");
  if (!existsSync(path)) return [];
  const database = new DatabaseSync(path);
  try {
    return database.prepare("SELECT sop, id, sha256 FROM instance").all();
  } finally {
    database.close();
  }
}

async function digest(path: string): Promise<string | undefined> {
  const file = await readFile(path).catch(() => undefined);
  if (!file || file.length < 200) return undefined;
  try {
    return createHash("sha256")
      .update(file.subarray(readPart10(file).dataSetOffset))
      .digest("hex");
  } catch {
    return undefined;
  }
}
