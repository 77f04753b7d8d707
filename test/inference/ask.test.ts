/** The parts of an asking, as whoever schedules uses them. */
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { Asker } from "../../src/inference/ask.ts";
import { prepareVolume } from "../../src/inference/prepare.ts";
import { startModelDouble } from "../support/model-double.ts";
import { labelled } from "../volume/formats/fixtures.ts";
import { goodAnswer, model, never, pool, smallVolume } from "./support.ts";

function asker(): Asker {
  const connections = new Map<string, number>();
  return new Asker({ clock: systemClock, pool, access: undefined, secrets: {}, connections });
}

test("one request is sent to one server after another, and says when it is on its way", async () => {
  const answering = Promise.withResolvers<void>();
  await using one = await startModelDouble(async () => {
    await answering.promise;
    return { kind: "answer", body: goodAnswer };
  });
  await using other = await startModelDouble(() => ({ kind: "answer", status: 503 }));
  await using asking = asker();
  using volume = prepareVolume(smallVolume(), pool);
  await using request = await asking.prepare(model("http://nobody.invalid/predict"), volume);
  expect(request.bytes).toBe(472);

  let sent = 0;
  const onSent = (): void => void (sent += 1);
  const busy = await request.send({ signal: never, url: other.origin, onSent });
  expect(busy).toMatchObject({ kind: "busy", status: 503 });
  expect(sent).toBeGreaterThan(0);

  sent = 0;
  const sending = request.send({ signal: never, url: `${one.origin}/predict`, onSent });
  await one.asked(1);
  expect(sent).toBe(1); // it is not answered yet
  answering.resolve();
  const outcome = await sending;
  if (outcome.kind !== "answered") throw new Error("It was busy");
  const { findings } = await request.read(outcome, { signal: never });
  expect(findings.layers).toEqual([labelled]);
  expect([one.requests[0]?.path, other.requests[0]?.sha256]).toEqual(["/predict", one.requests[0]?.sha256]);
});

test("whoever waits for a turn gets it, also when nothing could be sent", async () => {
  const gone = await startModelDouble(() => ({ kind: "silence" }));
  await gone[Symbol.asyncDispose]();
  await using asking = asker();
  using volume = prepareVolume(smallVolume(), pool);
  await using request = await asking.prepare(model(gone.origin), volume);
  let sent = 0;
  const onSent = (): void => void (sent += 1);
  await expect(request.send({ signal: never, onSent })).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
  expect(sent).toBeGreaterThan(0);
});
