/** A node that is steered over its API, from the first image to the PACS. */
import { expect, test } from "vitest";
import { startModelDouble } from "../support/model-double.ts";
import { ONE_SEGMENT, RAW_NIFTI } from "../support/rig.ts";
import { send } from "../support/send.ts";
import { threshold } from "../support/threshold.ts";
import { ABOVE, stage } from "./stage.ts";

const http = "{ listen: { port: 0 } }";

interface Told {
  readonly studies: readonly { readonly studyUid: string; readonly state: string }[];
}

async function asked<T>(url: string, method = "GET"): Promise<T> {
  const answer = await fetch(url, { method });
  expect([url, answer.status]).toEqual([url, 200]);
  return (await answer.json()) as T;
}

test("a paused destination gets nothing, and all that waited once it is resumed", async () => {
  await using rig = await stage({ http });
  const api = `${rig.origin}/api/v1`;
  await asked(`${api}/destinations/pacs/pause`, "POST");
  await send(rig.paths, rig.port);
  await rig.journal.said("delivery.paused");
  const [before] = (await asked<Told>(`${api}/studies`)).studies;
  expect(before?.state).toBe("delivering");
  expect(rig.pacs.stored).toEqual([]);
  await asked(`${api}/destinations/pacs/resume`, "POST");
  await rig.pacs.arrived(1);
  await rig.journal.said("delivery.done");
  expect((await asked<Told>(`${api}/studies?state=done`)).studies).toHaveLength(1);
});

test("a run that failed is asked again by hand, and its result arrives", async () => {
  let isBroken = true;
  await using model = await startModelDouble(({ body }) =>
    isBroken ? { kind: "answer", status: 400, body: "no" } : threshold(body, ABOVE),
  );
  const models = { bone: { url: model.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` } };
  await using rig = await stage({ http, models });
  const api = `${rig.origin}/api/v1`;
  await send(rig.paths, rig.port);
  await rig.journal.said("run.ended");
  const [study] = (await asked<Told>(`${api}/studies?state=attention`)).studies;
  const story = await asked<{ series: { runs: { id: string; code: string }[] }[] }>(
    `${api}/studies/${study?.studyUid}`,
  );
  const run = story.series[0]?.runs[0];
  expect(run?.code).toBe("MODEL_REJECTED");
  isBroken = false;
  await asked(`${api}/runs/${run?.id}/retry`, "POST");
  await rig.pacs.arrived(1);
});
