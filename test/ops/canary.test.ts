/** A patient whose name is looked for everywhere: it is in the files that were received, and nowhere else. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stage } from "../flow/stage.ts";
import { startModelDouble } from "../support/model-double.ts";
import { ONE_SEGMENT, RAW_NIFTI } from "../support/rig.ts";
import { send } from "../support/send.ts";
import { threshold } from "../support/threshold.ts";

const CANARY = {
  PatientName: "ZZCANARY^WERNER",
  PatientID: "ZZ-4711-CANARY",
  PatientBirthDate: "19370229",
  AccessionNumber: "ACCZZ0815",
  StudyDescription: "ZZDESCRIPTION",
  InstitutionName: "ZZHOSPITAL",
};

test("nothing of the patient stands in pages, API, events, metrics, log or file names", async () => {
  await using good = await startModelDouble(({ body }) => threshold(body, 0));
  await using broken = await startModelDouble(() => ({ kind: "answer", status: 422, body: "no" }));
  const models = {
    good: { url: good.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` },
    broken: { url: broken.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` },
  };
  await using rig = await stage({ http: "{ listen: { port: 0 } }", models, series: { extra: CANARY } });
  const listening = new AbortController();
  const events = await fetch(`${rig.origin}/api/v1/events`, { signal: listening.signal });
  let told = "";
  const reading = events
    .body!.pipeThrough(new TextDecoderStream())
    .pipeTo(new WritableStream({ write: (chunk) => void (told += chunk) }));
  await send(rig.paths, rig.port);
  await rig.pacs.arrived(1);
  await rig.journal.said("delivery.done");
  await rig.journal.said("run.ended");
  const [done] = rig.journal.of("delivery.done");
  const picture = `/api/v1/studies/${done?.studyUid}/series/${done?.seriesUid}/picture`;
  const seen: string[] = [];
  for (const path of [
    "/",
    `/studies/${done?.studyUid}`,
    "/models",
    "/destinations",
    "/metrics",
    "/readyz",
    "/api/v1/studies",
    `/api/v1/studies/${done?.studyUid}`,
    "/api/v1/models",
    "/api/v1/destinations",
    picture,
    `${picture}/0`,
    `${picture}/0/masks`,
    `${picture}/99`,
    "/nowhere",
  ]) {
    const answer = await fetch(rig.origin + path);
    seen.push(path, JSON.stringify([...answer.headers]), await answer.text());
  }
  listening.abort();
  await reading.catch(() => {});
  const files = await readdir(join(rig.folder, "data"), { recursive: true });
  const all = [...seen, told, JSON.stringify(rig.journal.events), files.join("\n")].join("\n");
  expect(told).toContain("delivery.done");
  const contents = await Promise.all(
    files.map((name) => readFile(join(rig.folder, "data", name), "latin1").catch(() => "")),
  );
  for (const value of Object.values(CANARY))
    expect(
      contents.some((text) => text.includes(value)),
      value,
    ).toBe(true);
  expect(Object.values(CANARY).filter((value) => all.includes(value))).toEqual([]);
});
