/**
 * The node's door against everything that can be wrong with a peer: more than two hundred conversations, byte by byte.
 *
 * Each is played against a node that runs as in use; after each the node is looked at (dul/suite.ts). Here the
 * time-outs are as short as they can be; with those of the default config: dul.heavy.test.ts.
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CASES, echoed, OTHERS, play, playTogether, WAITING } from "./dul/suite.ts";
import { startNodeTarget, type Target } from "./dul/target.ts";

let folder: string;
let target: Target;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "isocenter-dul-"));
  target = await startNodeTarget(folder);
  expect(await echoed(target)).toBe("RSP 0000");
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test("the suite is as large as the catalogue, and no two cases have the same number", () => {
  const of = (group: string): number => CASES.filter(({ id }) => id.startsWith(group)).length;
  const sizes = { T: of("T"), D: of("D"), A: of("A"), P: of("P"), M: of("M"), S: of("S") };
  expect(sizes).toEqual({ T: 17, D: 35, A: 60, P: 20, M: 24, S: 60 });
  expect(new Set(CASES.map(({ id }) => id)).size).toBe(CASES.length);
});

test("peers that stop, trickle or say nothing are let go when their time is up", async () => {
  const results = await playTogether(WAITING, target);
  expect(results.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
  expect(await echoed(target)).toBe("RSP 0000");
});

test.each(OTHERS.map((one) => [one.id, one.name, one] as const))("%s %s", async (_id, _name, one) => {
  const { verdict, seen, detail } = await play(one, target);
  expect({ verdict, seen, detail }).toEqual({ verdict: "ok", seen: one.answer, detail: undefined });
});

test("after all of it no log line holds what was in an image, and only the owner can read what is kept", async () => {
  expect(target.output()).not.toContain("Nobody");
  expect(target.output()).not.toContain("forged");
  const files = await target.kept();
  expect(files.length).toBeGreaterThan(20);
  const modes = await Promise.all(files.map(async ({ path }) => (await stat(path)).mode & 0o777));
  expect(new Set(modes)).toEqual(new Set([0o600]));
  for (const name of ["data", "data/instances"])
    expect([name, (await stat(join(folder, name))).mode & 0o777]).toEqual([name, 0o700]);
});
