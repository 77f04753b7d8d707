import { expect, test } from "vitest";
import { AnswerCache } from "../../src/inference/cache.ts";
import { startModelDouble } from "../support/model-double.ts";
import { labelled } from "../volume/formats/fixtures.ts";
import { goodAnswer, model, never, type Setup, setup, smallVolume } from "./support.ts";

const options = { signal: never, priority: 0 };

async function ask(parts: Setup, name: string, study: string | undefined, change = 0): Promise<number> {
  const volume = smallVolume();
  volume.voxels[7]! += change;
  using prepared = parts.inference.prepare(volume, study === undefined ? {} : { study });
  const { findings, timings } = await parts.inference.infer(name, prepared, options);
  expect(findings.layers[0]).toEqual(labelled);
  return timings.attempts;
}

test("the same voxels of the same study are asked about once; anything else is asked anew", async () => {
  await using server = await startModelDouble(() => ({ kind: "answer", body: goodAnswer }));
  await using parts = setup([
    model(server.origin, { name: "kept", cache: true }),
    model(server.origin, { name: "other", cache: true }),
    model(server.origin, { name: "never" }),
  ]);
  expect(await ask(parts, "kept", "1.2")).toBe(1);
  expect(await ask(parts, "kept", "1.2")).toBe(0);
  expect(server.requests).toHaveLength(1);

  expect(await ask(parts, "kept", "1.3")).toBe(1); // the same pixels in another study may be another patient
  expect(await ask(parts, "kept", "1.2", 1)).toBe(1);
  expect(await ask(parts, "other", "1.2")).toBe(1);
  expect(await ask(parts, "kept", undefined)).toBe(1);
  expect(await ask(parts, "never", "1.2")).toBe(1);
  expect(await ask(parts, "never", "1.2")).toBe(1);
  expect(server.requests).toHaveLength(7);
});

test("an answer that is not good is not kept", async () => {
  let answer = goodAnswer.subarray(0, 100);
  await using server = await startModelDouble(() => ({ kind: "answer", body: answer }));
  await using parts = setup([model(server.origin, { name: "kept", cache: true })]);
  await expect(ask(parts, "kept", "1.2")).rejects.toMatchObject({ code: "MODEL_ANSWER_INVALID" });
  answer = goodAnswer;
  expect(await ask(parts, "kept", "1.2")).toBe(1);
});

test("the least recently used goes first, and what is larger than all is not kept", () => {
  const cache = new AnswerCache<string>(100);
  cache.put("a", "A", 40);
  cache.put("b", "B", 40);
  expect(cache.get("a")).toBe("A");
  cache.put("c", "C", 40);
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual(["A", undefined, "C"]);
  cache.put("a", "A2", 60);
  expect([cache.get("a"), cache.get("c")]).toEqual(["A2", "C"]);
  cache.put("d", "D", 101);
  expect([cache.get("a"), cache.get("c"), cache.get("d")]).toEqual(["A2", "C", undefined]);
});
