/** What the log writes, seen in the file it writes to. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { NodeError } from "../../src/base/errors.ts";
import { createLog, type LogSettings } from "../../src/ops/logger.ts";
import { tempFolder } from "../support/temp.ts";

type Line = Readonly<Record<string, unknown>>;

async function logged(
  settings: Partial<LogSettings>,
  write: (log: ReturnType<typeof createLog>) => void,
  expected: number,
): Promise<readonly Line[]> {
  await using folder = await tempFolder();
  const path = join(folder.path, "node.log");
  const file = { path, sizeBytes: 1_000_000, files: 2 };
  await using log = createLog({ level: "info", levels: {}, format: "json", file, ...settings });
  write(log);
  const lines = async () => (await readFile(path, "utf8")).trimEnd().split("\n").filter(Boolean);
  await expect.poll(async () => (await lines()).length).toBe(expected);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  return (await lines()).map((line) => JSON.parse(line) as Line);
}

test("a line is one event with its fields, and an error its code, message and causes", async () => {
  const [line] = await logged(
    {},
    (log) => {
      const cause = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
      const error = new NodeError("MODEL_UNAVAILABLE", "Model bone: connection failed", { cause });
      log.warn("inference.failed", { model: "bone", attempt: 2, error });
    },
    1,
  );
  expect(line).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    level: "warn",
    event: "inference.failed",
    model: "bone",
    attempt: 2,
    error: "Model bone: connection failed",
    code: "MODEL_UNAVAILABLE",
    cause: "ECONNREFUSED connect",
  });
});

test("no peer can forge a line: control characters are escaped", async () => {
  const lines = await logged(
    {},
    (log) => log.info("association.rejected", { callingAeTitle: 'X\n{"event":"node.stopped"}\u001b[2J' }),
    1,
  );
  expect(lines[0]?.["callingAeTitle"]).toBe('X\n{"event":"node.stopped"}\u001b[2J');
});

test("a stage can be written in more detail than the rest, and the levels can change on the way", async () => {
  const lines = await logged(
    { level: "warn", levels: { inference: "debug" } },
    (log) => {
      log.info("series.complete", {});
      log.debug("inference.started", {});
      log.setLevels({ level: "info", levels: { inference: "error" } });
      log.info("series.complete", {});
      log.warn("inference.failed", {});
    },
    2,
  );
  expect(lines.map(({ event }) => event)).toEqual(["inference.started", "series.complete"]);
});

test("a file that has grown is put aside, and so many are kept as were asked for", async () => {
  await using folder = await tempFolder();
  const file = { path: join(folder.path, "node.log"), sizeBytes: 500, files: 3 };
  await using log = createLog({ level: "info", levels: {}, format: "json", file });
  const afterOneMore = async (): Promise<readonly string[]> => {
    log.info("volume.built", { seriesUid: "1.2.3".padEnd(64, "4") });
    return (await readdir(folder.path)).toSorted();
  };
  for (const names of [
    ["node.log", "node1.log"],
    ["node.log", "node1.log", "node2.log"],
  ])
    await expect.poll(afterOneMore, { timeout: 5_000 }).toEqual(names);
  for (let more = 0; more < 10; more++) expect((await afterOneMore()).length).toBeLessThanOrEqual(3);
});
