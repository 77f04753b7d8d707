// kill -9 alone proves little: what a process wrote stands in the page cache. Here that is gone too.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";
import { hasProgram, testIf } from "../support/data.ts";
import { tempFolder } from "../support/temp.ts";

const PROGRAM = join(import.meta.dirname, "power-cut.ts");

/** Root may be without the right to mount, as in a container: then the tests say that they were left out. */
function canCutPower(): boolean {
  if (process.getuid?.() !== 0 || !["mkfs.ext4", "perl", "unshare", "strace"].every(hasProgram)) return false;
  const script =
    "d=$(mktemp -d) && truncate -s 8M $d/i && mkfs.ext4 -q $d/i && mkdir $d/m && mount -o loop $d/i $d/m";
  return (
    spawnSync("unshare", ["--mount", "sh", "-c", `${script}; s=$?; umount $d/m; rm -r $d; exit $s`])
      .status === 0
  );
}

const testWithDisk = testIf(canCutPower(), "the right to mount a disk on a loop device");

async function cut(
  times: number,
  ...program: readonly string[]
): Promise<{ acknowledged: number; lost: number }> {
  await using folder = await tempFolder();
  const command = ["--mount", process.execPath, PROGRAM, folder.path, String(times), ...program];
  const ran = spawnSync("unshare", command, { encoding: "utf8" });
  if (ran.status !== 0) throw new Error(ran.stderr);
  return JSON.parse(ran.stdout) as { acknowledged: number; lost: number };
}

testWithDisk(
  "thirty power cuts while images arrive lose nothing that was answered Success",
  async () => {
    const { acknowledged, lost } = await cut(30);
    expect(lost).toBe(0);
    expect(acknowledged).toBeGreaterThan(300);
  },
  180_000,
);

testWithDisk(
  "a process whose flushes do nothing is seen to lose images",
  async () => {
    const deaf = ["-D", "-f", "-o", "/dev/null", "-e", "inject=fsync,fdatasync:retval=0"];
    const { lost } = await cut(3, "strace", ...deaf);
    expect(lost).toBeGreaterThan(0);
  },
  120_000,
);
