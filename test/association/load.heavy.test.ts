/** The door under load: fair to many senders, small in memory whatever the size, awake whatever the number. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { sendLoad, sendTimed } from "../bench/raw-sender.ts";
import { associateRq, echoRq, pData, RawPeer, releaseRq } from "../support/raw-peer.ts";
import { tempFolder } from "../support/temp.ts";
import { answersOf } from "./dul/conversation.ts";
import { imageOf, storing, uidOf } from "./dul/images.ts";
import { ASSOCIATIONS, DEFAULTS, peakMb, rssMb, startNodeTarget } from "./dul/target.ts";

const lines: string[] = [];
afterAll(() => console.log(lines.join("\n")));

test(`${ASSOCIATIONS} senders of 100 CT slices each are all served, and none waits three times as long as another`, async () => {
  await using folder = await tempFolder();
  await using target = await startNodeTarget(folder.path, DEFAULTS);
  const load = { name: "many", associations: ASSOCIATIONS, instances: 100, pixelBytes: 524_288 };
  const seconds = await sendTimed(load, target.port); // throws unless every answer is Success
  const [fastest, slowest] = [Math.min(...seconds), Math.max(...seconds)];
  lines.push(`25 × 100 CT: ${fastest.toFixed(1)} to ${slowest.toFixed(1)} s`);
  expect(slowest / fastest).toBeLessThanOrEqual(3);
  expect((await target.kept()).filter(({ bytes }) => bytes > 0)).toHaveLength(ASSOCIATIONS * 100);
}, 300_000);

test("an instance of 1 GB costs no more than 128 MB of memory, and others are answered meanwhile", async () => {
  await using folder = await tempFolder();
  await using target = await startNodeTarget(folder.path, DEFAULTS, "2GiB");
  await sendLoad({ name: "warm", associations: 2, instances: 100, pixelBytes: 524_288 }, target.port);
  const before = await rssMb(target.pid);
  await peakMb(target.pid);
  const peer = await RawPeer.connect(target.port);
  peer.send(associateRq());
  await peer.expect(2);
  const watch = watchEchoes(target.port);
  const head = imageOf("L05", { "7fe00010": pixelsOf(1_000_000_000) });
  const parts = storing(uidOf("L05"), head);
  let last = parts.next();
  for (; !last.done; last = parts.next())
    if (!peer.socket.write(last.value)) await new Promise((resolve) => peer.socket.once("drain", resolve));
  expect(await answersOf(peer, 1, 60_000)).toBe("RSP 0000");
  peer.destroy();
  const echoes = await watch.stop();
  const grown = (await peakMb(target.pid)) - before;
  lines.push(`1 GB: RSS +${grown.toFixed(0)} MB, ${echoes.length} C-ECHO, p99 ${p99(echoes).toFixed(0)} ms`);
  expect(grown).toBeLessThan(128);
  expect(Math.max(...echoes)).toBeLessThan(2_000);
}, 300_000);

test("20,000 small instances are all kept, and meanwhile a C-ECHO is answered within 100 ms", async () => {
  await using folder = await tempFolder();
  await using target = await startNodeTarget(folder.path, DEFAULTS);
  const load = { name: "small", associations: 4, instances: 5_000, pixelBytes: 12_000 };
  await sendLoad({ ...load, instances: 100 }, target.port);
  const watch = watchEchoes(target.port);
  const seconds = await sendLoad(load, target.port);
  const echoes = await watch.stop();
  const kept = (await target.kept()).filter(({ bytes }) => bytes > 12_000);
  lines.push(`20,000 × 12 KB: ${(20_000 / seconds).toFixed(0)}/s, C-ECHO p99 ${p99(echoes).toFixed(0)} ms`);
  expect(kept).toHaveLength(20_400);
  expect(p99(echoes)).toBeLessThan(100);
}, 300_000);

/** Asks every 20 ms on an association of its own. */
function watchEchoes(port: number): { readonly stop: () => Promise<readonly number[]> } {
  const milliseconds: number[] = [];
  let isOver = false;
  const asking = (async () => {
    const peer = await RawPeer.connect(port);
    peer.send(associateRq());
    await peer.expect(2);
    while (!isOver) {
      const asked = performance.now();
      peer.send(pData(3, 3, echoRq(1)));
      await peer.response();
      milliseconds.push(performance.now() - asked);
      await sleep(20);
    }
    peer.send(releaseRq);
    await peer.expect(6);
    peer.destroy();
  })();
  return {
    async stop() {
      isOver = true;
      await asking;
      return milliseconds;
    },
  };
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;
}

/** The element of the pixels; a gigabyte is not copied more often than it must. */
function pixelsOf(bytes: number): Buffer {
  const element = Buffer.alloc(12 + bytes);
  element.write("e07f10004f570000", 0, "hex");
  element.writeUInt32LE(bytes, 8);
  return element;
}
