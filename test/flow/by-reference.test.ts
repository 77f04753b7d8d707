/** The whole node with a model that fetches the volume, measures, and answers by calling back. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startModelDouble } from "../support/model-double.ts";
import { contents } from "../support/pacs.ts";
import { ONE_SEGMENT } from "../support/rig.ts";
import { readSeg } from "../support/seg-reader.ts";
import { send } from "../support/send.ts";
import { threshold } from "../support/threshold.ts";
import { ABOVE, stage } from "./stage.ts";

const SETTINGS = `
    request: { format: nifti, body: { json: { image: "\${volume.url}", tell: "\${webhook.url}" } } },
    transport: { webhook: { submit: { post: "" }, state: { pointer: /state, done: [done] } } },
    response: { unwrap: [{ pointer: /mask }, base64], measurements: [{ pointer: /measured }] }, ${ONE_SEGMENT}`;

test("a volume goes out by link, the answer comes by call back, and what was measured stays beside the result", async () => {
  const links: string[] = [];
  await using model = await startModelDouble(async ({ body }) => {
    const { image, tell } = JSON.parse(Buffer.from(body).toString()) as Record<"image" | "tell", string>;
    links.push(image, tell);
    const volume = await fetch(image);
    const reply = threshold(new Uint8Array(await volume.arrayBuffer()), ABOVE);
    const mask = reply.kind === "answer" ? Buffer.from(reply.body ?? "").toString("base64") : "";
    const answer = { state: "done", mask, measured: { ml: 12.5 } };
    setImmediate(() => void fetch(tell, { method: "POST", body: JSON.stringify(answer) }));
    return { kind: "answer", status: 202, body: "{}" };
  });
  await using rig = await stage({
    models: { pulls: { url: model.origin, rest: SETTINGS } },
    more: "modelAccess: { host: 127.0.0.1, port: 0 }",
  });
  expect(await send(rig.paths, rig.port)).toEqual([0, 0, 0]);
  await rig.pacs.arrived(1);
  const [seg] = [...(await contents(rig.pacs)).values()];
  expect(readSeg(seg!).frames.length).toBeGreaterThan(0);
  const results = join(rig.folder, "data", "results");
  const kept = (await readdir(results)).filter((name) => name.endsWith(".measurements.json"));
  expect(kept).toHaveLength(1);
  expect(await readFile(join(results, kept[0]!), "utf8")).toBe('{"ml":12.5}');
  // The job is over, and so are its links.
  for (const link of links) expect((await fetch(link, { method: "POST" })).status).toBe(404);
});
