/** One dead destination and one silent one beside a good one, with as many results as a night brings. */
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { freePort } from "../support/free-port.ts";
import { scripted } from "../support/raw-peer.ts";
import { scene, statesOf } from "./scene.ts";

test("of three destinations with 500 results each, a dead and a silent one do not hold up the third", async () => {
  await using silent = await scripted(async () => {});
  const dead = await freePort();
  await using s = await scene({
    results: 500,
    bytes: 10,
    clock: systemClock, // by it, the dead one is asked again after seconds, as in use
    others: { dead: `port: ${dead}`, silent: `port: ${silent.port}, answerTimeout: 1h` },
  });
  // The silent one is given up after an hour only: by then this test would have failed.
  await s.out.journal.said("delivery.done", 500);
  expect(new Set(s.pacs.stored).size).toBe(500);
  expect(s.pacs.stored).toHaveLength(500);
  expect(new Set(statesOf(s.out, "silent"))).toEqual(new Set(["pending"]));
  expect(new Set(statesOf(s.out, "dead"))).toEqual(new Set(["pending"]));
}, 120_000);
