// A stop in the middle of everything: what runs may end, the rest goes on after the next start.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type NodeUnder, ROOT, startNodeUnder } from "../crash/node-under.ts";
import { unfinished, violations } from "../crash/oracles.ts";
import { createWorld, type World } from "../crash/world.ts";
import { tempFolder } from "../support/temp.ts";

async function start(world: World): Promise<NodeUnder> {
  const node = await startNodeUnder({ root: ROOT, config: world.config, threads: 4 });
  world.nodePort = node.port;
  return node;
}

/** Everything is done, and everything is right. */
async function finishes(world: World, node: NodeUnder): Promise<void> {
  await expect
    .poll(
      async () => {
        await world.send().catch(() => {});
        return unfinished(world);
      },
      { timeout: 60_000, interval: 100 },
    )
    .toEqual([]);
  node.kill("SIGTERM");
  expect(await node.exited).toBe(0);
  expect(await violations(world, undefined)).toEqual([]);
}

test.each([9, 25])(
  "SIGTERM as the node sends its %i-th piece: it ends with 0, and what is left is done after the next start",
  async (nth) => {
    await using folder = await tempFolder();
    await using world = await createWorld(folder.path);
    const first = await start(world);
    let sent = 0;
    world.onSent = () => {
      if (++sent === nth) first.kill("SIGTERM");
      return true;
    };
    while (!first.hasExited) {
      await world.send().catch(() => {});
      await sleep(50);
    }
    expect(await first.exited).toBe(0);
    await finishes(world, await start(world));
  },
  120_000,
);

test("a second SIGTERM ends the node at once, and nothing is lost", async () => {
  await using folder = await tempFolder();
  await using world = await createWorld(folder.path);
  const first = await start(world);
  let sent = 0;
  world.onSent = () => {
    if (++sent === 12) {
      first.kill("SIGTERM");
      setTimeout(() => first.kill("SIGTERM"), 20);
    }
    return true;
  };
  await world.send().catch(() => {});
  await first.exited;
  world.onSent = () => true;
  await finishes(world, await start(world));
}, 120_000);
