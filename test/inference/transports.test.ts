/** Transports and what may go wrong in them, each as a config has it. */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { NodeError } from "../../src/base/errors.ts";
import { type ModelDouble, type Reply, type Script, startModelDouble } from "../support/model-double.ts";
import { tempFolder } from "../support/temp.ts";
import { labelled } from "../volume/formats/fixtures.ts";
import { type Asked, askConfigured, configOf } from "./configured.ts";
import { EXAMPLES } from "./examples.ts";
import { goodAnswer } from "./support.ts";

const good: Reply = { kind: "answer", body: goodAnswer };
const packed = gzipSync(goodAnswer).toString("base64");

function json(value: unknown, status = 200): Reply {
  return {
    kind: "answer",
    status,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(value),
  };
}

afterEach(() => {
  for (const name of ["TOKEN", "OTHER"]) delete process.env[name];
});

interface Told extends Partial<Asked> {
  readonly error?: NodeError;
  readonly requests: ModelDouble["requests"];
  readonly paths: readonly string[];
  readonly origin: string;
}

/** @param settings  with ORIGIN for where the double is; its failure is a value */
async function ask(
  script: Script,
  settings: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Told> {
  await using server = await startModelDouble(script);
  const text = settings.replaceAll(/http:\/\/[a-z0-9-]+(:\d+)?/g, (url) =>
    url.startsWith("http://127") ? url : server.origin,
  );
  const config = configOf(text.replaceAll("ORIGIN", server.origin), "slots: { gpu: 1 }");
  const outcome = await askConfigured(config, options).catch((error: unknown) => {
    if (error instanceof NodeError) return { error };
    throw error;
  });
  const paths = server.requests.map(({ method, path }) => `${method} ${path}`);
  return { ...outcome, requests: server.requests, paths, origin: server.origin };
}

function expectLabels({ answer, error }: Told): void {
  expect(error).toBeUndefined();
  expect(answer?.findings.layers).toEqual([labelled]);
}

/** Replies in turn by "METHOD /path"; the last one is repeated. */
function routes(table: Readonly<Record<string, readonly Reply[]>>): Script {
  const asked = new Map<string, number>();
  return ({ method, path }) => {
    const key = Object.keys(table).find((pattern) => new RegExp(`^${pattern}$`).test(`${method} ${path}`));
    if (key === undefined) return json({ detail: `no ${method} ${path}` }, 404);
    const at = asked.get(key) ?? 0;
    asked.set(key, at + 1);
    const replies = table[key]!;
    return replies[Math.min(at, replies.length - 1)]!;
  };
}

const POLL = `
    url: ORIGIN/run
    attempts: 1
    request: { format: nifti }
    transport:
      poll:
        submit: { post: "", capture: { id: /job } }
        status: { get: "jobs/\${id}", every: 10ms, state: { pointer: /state, done: [done], failed: [failed] } }
        result: { get: "jobs/\${id}/result" }
        cancel: { delete: "jobs/\${id}" }`;

const SUBMITTED = json({ job: "a/b" }, 202);
const RUNNING = json({ state: "running" });
const DONE = json({ state: "done" });

test("a job is submitted, waited for and fetched; what was captured is encoded in paths", async () => {
  const told = await ask(
    routes({
      "POST /run": [SUBMITTED],
      "GET /run/jobs/a%2Fb": [RUNNING, RUNNING, DONE],
      "GET /run/jobs/a%2Fb/result": [good],
    }),
    POLL,
  );
  expectLabels(told);
  expect(told.paths).toEqual([
    "POST /run",
    ...Array.from({ length: 3 }, () => "GET /run/jobs/a%2Fb"),
    "GET /run/jobs/a%2Fb/result",
  ]);
  expect(told.answer?.timings).toMatchObject({ attempts: 1, bytesSent: 472, bytesReceived: 412 });
});

test("a server that stumbles while it is asked how far it is loses nothing", async () => {
  const stumbles: Reply[] = [
    json({}, 503),
    json({}, 500),
    { kind: "cut", body: goodAnswer, bytes: 10 },
    json({}, 429),
    DONE,
  ];
  const told = await ask(
    routes({ "POST /run": [SUBMITTED], "GET /run/jobs/a%2Fb": stumbles, "GET .*result": [good] }),
    POLL,
  );
  expectLabels(told);
});

// F69
test("a job that the server does not know any more is submitted once more, under the same id", async () => {
  const settings = POLL.replace(
    'submit: { post: ""',
    'submit: { post: "", headers: { idempotency-key: "${job.id}" }',
  );
  const told = await ask(
    routes({
      "POST /run": [SUBMITTED],
      "GET /run/jobs/a%2Fb": [RUNNING, json({}, 404), DONE],
      "GET .*result": [good],
    }),
    settings,
  );
  expectLabels(told);
  const submitted = told.requests.filter(({ method }) => method === "POST");
  expect(submitted).toHaveLength(2);
  expect(new Set(submitted.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
  expect(new Set(submitted.map(({ sha256 }) => sha256)).size).toBe(1);
});

test("a job that is forgotten twice is given up", async () => {
  const told = await ask(routes({ "POST /run": [SUBMITTED], "GET /run/jobs/a%2Fb": [json({}, 404)] }), POLL);
  expect(told.error).toMatchObject({ code: "MODEL_UNAVAILABLE" });
  expect(told.paths.filter((path) => path === "POST /run")).toHaveLength(2);
});

test("a job that failed, or whose state is not where it should be, is no result", async () => {
  const failed = routes({
    "POST /run": [SUBMITTED],
    "GET /run/jobs/a%2Fb": [RUNNING, json({ state: "failed" })],
  });
  expect((await ask(failed, POLL)).error).toMatchObject({ code: "MODEL_FAILED", failure: "ambiguous" });
  const elsewhere = routes({ "POST /run": [SUBMITTED], "GET /run/jobs/a%2Fb": [json({ status: "done" })] });
  expect((await ask(elsewhere, POLL)).error).toMatchObject({
    code: "MODEL_ANSWER_INVALID",
    message: "Model tested: answer without /state",
  });
  const without = routes({ "POST /run": [json({})] });
  expect((await ask(without, POLL)).error?.message).toBe("Model tested: answer without /job");
});

test("a job that runs for ever is given up at the deadline of the whole, and cancelled", async () => {
  const told = await ask(
    routes({
      "POST /run": [SUBMITTED],
      "GET /run/jobs/a%2Fb": [RUNNING],
      "DELETE /run/jobs/a%2Fb": [json({})],
    }),
    `${POLL}\n    deadline: 1s`,
  );
  expect(told.error).toMatchObject({
    code: "MODEL_TIMED_OUT",
    message: "Model tested: no answer within 1000 ms",
  });
  expect(told.paths.at(-1)).toBe("DELETE /run/jobs/a%2Fb");
});

test("a job that was superseded is cancelled, and the caller's reason stays its own", async () => {
  const stop = new AbortController();
  const reason = new Error("superseded");
  const script: Script = ({ method, path }) => {
    if (method === "POST") return SUBMITTED;
    if (method === "GET") stop.abort(reason);
    return path.endsWith("b") ? RUNNING : json({}, 404);
  };
  await using server = await startModelDouble(script);
  const config = configOf(POLL.replaceAll("ORIGIN", server.origin));
  await expect(askConfigured(config, { signal: stop.signal })).rejects.toBe(reason);
  expect(server.requests.at(-1)?.method).toBe("DELETE");
});

test("without a result of its own, the answer that says done is the result", async () => {
  const settings =
    POLL.replace(/ +result:.*\n/, "") + "\n    response: { unwrap: [{ pointer: /mask }, base64, gzip] }";
  const done = json({ state: "done", mask: packed });
  expectLabels(
    await ask(routes({ "POST /run": [SUBMITTED], "GET /run/jobs/a%2Fb": [RUNNING, done] }), settings),
  );
});

const HOOK = `
    url: ORIGIN
    attempts: 1
    request: { format: nifti, body: { json: { image: "\${volume.base64}", callback: "\${webhook.url}" } } }
    response: { unwrap: [{ pointer: /mask }, base64, gzip] }
    transport:
      webhook:
        submit: { post: /run, capture: { id: /job } }
        state: { pointer: /state, done: [done], failed: [failed] }`;

interface Submitted {
  readonly callback: string;
  readonly image: string;
}

/** Calls back with these, one after another, once the submission is answered. */
function calling(...calls: readonly unknown[]): Script {
  return ({ method, body }) => {
    if (method !== "POST") return json({ state: "running" });
    const { callback } = JSON.parse(Buffer.from(body).toString()) as Submitted;
    const tell = async (): Promise<void> => {
      for (const call of calls) await fetch(callback, { method: "POST", body: JSON.stringify(call) });
    };
    setImmediate(() => void tell());
    return json({ job: "7" });
  };
}

test("a call back is the result once it says done; one that says it runs is heard and waited past", async () => {
  expectLabels(await ask(calling({ state: "running" }, { state: "done", mask: packed }), HOOK));
});

test("a call back that says failed is a failure of the model", async () => {
  expect((await ask(calling({ state: "failed" }), HOOK)).error).toMatchObject({ code: "MODEL_FAILED" });
});

test("a call back that was lost is made up for by asking", async () => {
  const status =
    '        status: { get: "/jobs/${id}", every: 10ms, state: { pointer: /state, done: [done] } }';
  const script: Script = ({ method, number }) =>
    method === "POST"
      ? json({ job: "7" })
      : json(number < 3 ? { state: "running" } : { state: "done", mask: packed });
  expectLabels(await ask(script, `${HOOK}\n${status}`));
});

test("a server that never calls back is given up at the deadline", async () => {
  const told = await ask(() => json({ job: "7" }), `${HOOK}\n    deadline: 1s`);
  expect(told.error).toMatchObject({ code: "MODEL_TIMED_OUT" });
});

const STEPS = EXAMPLES.nninteractive;

test("steps follow each other: the volume as npy, then a box, then the answer", async () => {
  // As numpy.packbits has them, gzipped as the server sends them: every third voxel, first voxel in the highest bit.
  const bits = Buffer.alloc(8);
  for (let n = 0; n < 60; n += 3) bits[n >> 3]! |= 0x80 >> (n & 7);
  const masked: Reply = { kind: "answer", headers: { "content-encoding": "gzip" }, body: gzipSync(bits) };
  const told = await ask(
    routes({ "POST /upload_image": [json({ status: "ok" })], "POST /add_bbox_interaction": [masked] }),
    `${STEPS}
    segments: { 1: { label: A, category: "SCT:91723000:Anatomical structure", type: "SCT:91609006:Mandible" } }`,
  );
  expect(told.error).toBeUndefined();
  expect(told.answer?.findings.layers).toEqual([labelled.map((_, n) => (n % 3 === 0 ? 1 : 0))]);
  expect(JSON.parse(Buffer.from(told.requests[1]!.body).toString())).toEqual({
    outer_point_one: [1, 1, 1],
    outer_point_two: [3, 2, 2],
    positive_click: true,
  });
});

test("a 200 that says error in its JSON is no success, at whichever step", async () => {
  const told = await ask(
    routes({ "POST /upload_image": [json({ status: "error", message: "no session" })] }),
    `${STEPS}\n    attempts: 1`,
  );
  expect(told.error).toMatchObject({ code: "MODEL_FAILED" });
  expect(told.paths).toEqual(["POST /upload_image"]);
});

test("a 200 that says busy in its JSON is busy", async () => {
  const settings =
    "    url: ORIGIN\n    request: { format: nifti }\n    response: { busyIf: { pointer: /state, is: [queue full] } }";
  const told = await ask(routes({ "POST /": [json({ state: "queue full" }), good] }), settings);
  expectLabels(told);
  expect(told.waits).toHaveLength(1);
});

test("a gateway that knows the job already is asked for it, and the study is named", async () => {
  const told = await ask(
    routes({
      "POST /inference": [json({ title: "duplicate" }, 409)],
      "GET /inference/status/[\\w-]+": [json({ status: "InProcess" }), json({ status: "Completed" })],
      "GET /inference/result/[\\w-]+": [good],
    }),
    EXAMPLES.map,
  );
  expectLabels(told);
  const sent = JSON.parse(Buffer.from(told.requests[0]!.body).toString()) as Record<string, unknown>;
  expect(told.paths[1]).toBe(`GET /inference/status/${String(sent["transactionID"])}`);
  expect(JSON.stringify(sent)).toContain('"StudyInstanceUID":"1.2.3"');
});

test("a work item is made, waited for and read", async () => {
  const told = await ask(
    routes({
      "POST /worklist/workitems": [json({ uid: "1.2.9" }, 201)],
      "GET /worklist/workitems/1.2.9": [json({ state: "SCHEDULED" }), json({ state: "COMPLETED" })],
      "GET /worklist/workitems/1.2.9/output": [good],
    }),
    EXAMPLES.worklist,
  );
  expectLabels(told);
});

test("measurements in an answer are kept as the model wrote them", async () => {
  const answer = { predictions: [{ mask: packed, volumes: { mandible: 61.25 } }] };
  const told = await ask(() => json(answer), EXAMPLES.pull);
  expectLabels(told);
  expect(told.answer?.measurements).toBe('{"mandible":61.25}');
});

test("a request larger than the server takes fails before a byte is sent", async () => {
  const told = await ask(
    () => good,
    "    url: ORIGIN\n    request: { format: npy }\n    limits: { requestBytes: 1KiB }",
  );
  expectLabels(told);
  const body = '{ json: { a: "${volume.base64}", b: "${volume.base64}" } }';
  const larger = await ask(
    () => good,
    `    url: ORIGIN\n    request: { format: nifti, body: ${body} }\n    limits: { requestBytes: 1KiB }`,
  );
  expect(larger.error).toMatchObject({ code: "MODEL_INPUT_UNSUITABLE" });
  expect(larger.error?.message).toMatch(/request of 1\d{3} bytes, it takes 1024$/);
  expect(larger.requests).toHaveLength(0);
});

/** Answers, voxel by voxel of the tensor it was sent, with the number that the voxel has in the source. */
function numbering({ body, headers }: Parameters<Script>[0]): Reply {
  const length = Number(headers["inference-header-content-length"]);
  const { inputs } = JSON.parse(Buffer.from(body.subarray(0, length)).toString()) as {
    inputs: { shape: number[] }[];
  };
  const values = new DataView(body.buffer, body.byteOffset + length);
  const labels = Uint8Array.from({ length: 60 }, (_, n) => (values.getFloat32(4 * n, true) + 200) / 7);
  const { shape } = inputs[0]!;
  const outputs = [
    { name: "SEG", datatype: "UINT8", shape, parameters: { binary_data_size: labels.length } },
  ];
  const head = Buffer.from(JSON.stringify({ outputs }));
  return {
    kind: "answer",
    headers: { "inference-header-content-length": String(head.length) },
    body: Buffer.concat([head, labels]),
  };
}

test.each([
  ["native", "NCZYX", [1, 1, 3, 4, 5]],
  ["native", "N,C,X,Y,Z", [1, 1, 5, 4, 3]],
  ["LPS", "NCZYX", [1, 1, 3, 4, 5]],
  ["RAS", "ZYX", [3, 4, 5]],
  ["RAS", "XZY", [5, 3, 4]],
])("a tensor turned to %s with axes %s comes back where it was", async (orientation, layout, shape) => {
  const request = `{ format: kserve, input: I, datatype: FP32, orientation: ${orientation}, layout: "${layout}" }`;
  const told = await ask(numbering, `    url: ORIGIN\n    request: ${request}`);
  expectLabels(told);
  expect(Buffer.from(told.requests[0]!.body).toString("latin1")).toContain(`"shape":[${shape.join()}]`);
});

// F67
test("an answer that repeats another study, or nothing, is not the answer to this request", async () => {
  const settings = `    url: ORIGIN
    attempts: 1
    request: { format: nifti, body: { json: { series: "\${series.uid}", image: "\${volume.base64}" } } }
    response: { unwrap: [{ pointer: /mask }, base64, gzip], echoes: { /series: "\${series.uid}" } }`;
  expectLabels(await ask(() => json({ series: "1.2.3.4", mask: packed }), settings));
  for (const answer of [
    { series: "1.2.3.5", mask: packed },
    { mask: packed },
    { series: null, mask: packed },
  ]) {
    const { error } = await ask(() => json(answer), settings);
    expect(error).toMatchObject({ code: "MODEL_ANSWER_INVALID" });
    expect(error?.message).toBe(
      "Model tested: Answer belongs to another request: /series is not what was sent",
    );
  }
});

// S27
test.each([
  "http://169.254.169.254/latest/meta-data/",
  "http://[::ffff:127.0.0.1]:1/a",
  "http://2130706433/a",
  "http://localhost/a",
  "file:///etc/passwd",
  "ftp://127.0.0.1/a",
  "//other.example/a",
  "http://user:password@127.0.0.1/a",
  "http://",
])("an answer that points to %s is refused, and nothing is asked there", async (url) => {
  process.env["TOKEN"] = "the token";
  const settings = `    url: ORIGIN\n    attempts: 1\n    auth: { bearer: "\${secret:TOKEN}" }\n    request: { format: nifti }\n    response: { unwrap: [{ pointer: /output }, fetch] }`;
  const told = await ask(() => json({ output: url }), settings);
  expect(told.error).toMatchObject({ code: "MODEL_ANSWER_INVALID" });
  expect(told.error?.message).toContain("not among its origins");
  expect(told.requests).toHaveLength(1);
});

test("another port of the same machine is another origin", async () => {
  await using trap = await startModelDouble(() => good);
  const settings =
    "    url: ORIGIN\n    attempts: 1\n    request: { format: nifti }\n    response: { unwrap: [{ pointer: /output }, fetch] }";
  const told = await ask(() => json({ output: `${trap.origin}/a` }), settings);
  expect(told.error).toMatchObject({ code: "MODEL_ANSWER_INVALID" });
  expect(trap.requests).toHaveLength(0);
});

test("a store that the config names is asked, without the credentials of the model", async () => {
  process.env["TOKEN"] = "the token";
  await using store = await startModelDouble(() => good);
  const settings = `    url: ORIGIN\n    auth: { bearer: "\${secret:TOKEN}" }\n    headers: { x-key: "\${secret:TOKEN}" }\n    origins: ["${store.origin}"]\n    request: { format: nifti }\n    response: { unwrap: [{ pointer: /output }, fetch] }`;
  const told = await ask(() => json({ output: `${store.origin}/a?b=c` }), settings);
  expectLabels(told);
  expect(store.requests[0]).toMatchObject({ method: "GET", path: "/a?b=c" });
  expect(JSON.stringify(store.requests[0]?.headers)).not.toContain("the token");
  expect(told.requests[0]?.headers).toMatchObject({
    authorization: "Bearer the token",
    "x-key": "the token",
  });
});

test("what is fetched has the limit of the answer", async () => {
  const settings =
    "    url: ORIGIN\n    attempts: 1\n    request: { format: nifti }\n    response: { maxBytes: 1KiB, unwrap: [{ pointer: /output }, fetch] }";
  const told = await ask(
    routes({ "POST /": [json({ output: "/a" })], "GET /a": [{ kind: "endless", bytes: 1e9 }] }),
    settings,
  );
  expect(told.error).toMatchObject({ code: "MODEL_ANSWER_TOO_LARGE" });
});

// S28
test("a job whose status redirects elsewhere is not followed, and no secret goes there", async () => {
  process.env["TOKEN"] = "the token";
  await using trap = await startModelDouble(() => good);
  const redirect: Reply = { kind: "answer", status: 307, headers: { location: `${trap.origin}/a` } };
  const settings = `${POLL}\n    auth: { bearer: "\${secret:TOKEN}" }`;
  const told = await ask(routes({ "POST /run": [SUBMITTED], "GET /run/jobs/a%2Fb": [redirect] }), settings);
  expect(told.error).toMatchObject({ code: "MODEL_REJECTED" });
  expect(trap.requests).toHaveLength(0);
});

test("a captured URL is asked only where the config allows", async () => {
  await using trap = await startModelDouble(() => good);
  const settings = POLL.replace('get: "jobs/${id}"', 'get: "${id}"');
  const told = await ask(routes({ "POST /run": [json({ job: `${trap.origin}/a` })] }), settings);
  expect(told.error).toMatchObject({ code: "MODEL_ANSWER_INVALID" });
  expect(trap.requests).toHaveLength(0);
});

test("what a server repeats of a secret is not in the error nor in the log", async () => {
  process.env["TOKEN"] = "s3cret-token";
  const settings = `    url: ORIGIN\n    attempts: 1\n    auth: { bearer: "\${secret:TOKEN}" }\n    request: { format: nifti }`;
  const told = await ask(
    ({ headers }) => json({ detail: `invalid: ${headers.authorization}` }, 401),
    settings,
  );
  expect(told.error?.message).toBe(
    'Model tested: HTTP 401, credentials refused: {"detail":"invalid: Bearer ***"}',
  );
});

test("a secret that is nowhere is named, and can still be put there", async () => {
  const settings = `    url: ORIGIN\n    attempts: 1\n    auth: { bearer: "\${secret:NOWHERE}" }\n    request: { format: nifti }`;
  const told = await ask(() => good, settings);
  expect(told.error).toMatchObject({
    code: "SECRET_MISSING",
    failure: "transient",
    message: "Secret NOWHERE: not in the environment",
  });
  expect(told.requests).toHaveLength(0);
});

test("a shared folder carries the volume one way and the result back, and is empty afterwards", async () => {
  await using folder = await tempFolder();
  const settings = EXAMPLES.path.replace("/data/jobs", folder.path);
  let seen = "";
  const told = await ask(async ({ body }) => {
    const { input_path: input, output_dir: output } = JSON.parse(Buffer.from(body).toString()) as Record<
      string,
      string
    >;
    expect([input, output].every((path) => path?.startsWith("/mnt/jobs/isocenter-"))).toBe(true);
    const here = (path: string): string => path.replace("/mnt/jobs", folder.path);
    seen = createHash("sha256")
      .update(await readFile(here(input!)))
      .digest("hex");
    await writeFile(join(here(output!), "labels.nii"), goodAnswer);
    return json({ result: `${output}/labels.nii` });
  }, settings);
  expectLabels(told);
  expect(seen).toMatch(/^[0-9a-f]{64}$/);
  expect(told.requests[0]?.bytes).toBeLessThan(300);
  expect(await readdir(folder.path)).toEqual([]);
});

test.each([
  ["a path outside", () => "/etc/passwd", "outside of its folder"],
  ["a path that climbs", (out: string) => `${out}/../../../etc/passwd`, "outside of its folder"],
  ["a file that is not there", (out: string) => `${out}/none.nii`, "that is not there"],
  ["a link to the outside", (out: string) => `${out}/link.nii`, "outside of its folder"],
  ["another job's folder", (out: string) => `${out}/../../other/labels.nii`, "outside of its folder"],
])("an answer that names %s is refused", async (_, named, why) => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "other"));
  await writeFile(join(folder.path, "other", "labels.nii"), goodAnswer);
  const settings = `${EXAMPLES.path.replace("/data/jobs", folder.path)}\n    attempts: 1`;
  const told = await ask(async ({ body }) => {
    const { output_dir: out } = JSON.parse(Buffer.from(body).toString()) as { output_dir: string };
    await symlink("/etc/passwd", join(out.replace("/mnt/jobs", folder.path), "link.nii"));
    return json({ result: named(out) });
  }, settings);
  expect(told.error?.message).toContain(why);
  expect(told.error).toMatchObject({ code: "MODEL_ANSWER_INVALID" });
  expect(await readdir(folder.path)).toEqual(["other"]);
});
