/**
 * Stand for model servers, each speaking its own documented protocol, and strict about what it is asked.
 *
 * A double takes the small volume of test/inference/support.ts and nothing else: whatever its server would refuse is
 * refused with the server's own status. It answers with the file it was given, wrapped as its server does.
 */
import { createHash, createHmac, randomUUID } from "node:crypto";
import { crc32, gunzipSync, gzipSync } from "node:zlib";
import { zipOf } from "../../src/inference/zip-write.ts";
import type { Reply, Script } from "./model-double.ts";

type Request = Parameters<Script>[0];

/** The volume arrived whole, as .nii or .nii.gz. */
function isTheVolume(file: Uint8Array): boolean {
  const plain = file[0] === 0x1f ? gunzipSync(file) : Buffer.from(file);
  const dimensions = [42, 44, 46].map((at) => plain.readInt16LE(at));
  return (
    plain.toString("latin1", 344, 347) === "n+1" && dimensions.join() === "5,4,3" && plain.length === 472
  );
}

class Refused extends Error {
  readonly reply: Reply;

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(`HTTP ${status}`);
    this.reply = json(body, status, headers);
  }
}

function json(body: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Reply {
  return {
    kind: "answer",
    status,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

function file(body: Uint8Array, type = "application/octet-stream"): Reply {
  return { kind: "answer", headers: { "content-type": type }, body };
}

/** By "METHOD /path", the query left out. */
type Routes = Readonly<Record<string, (request: Request, url: URL) => Reply | Promise<Reply>>>;

function server(routes: Routes): Script {
  return async (request) => {
    const url = new URL(request.path, "http://double");
    const key = `${request.method} ${url.pathname}`;
    const route = Object.entries(routes).find(([pattern]) => new RegExp(`^${pattern}$`).test(key))?.[1];
    try {
      if (!route) throw new Refused(404, { detail: "Not Found" });
      return await route(request, url);
    } catch (error) {
      if (error instanceof Refused) return error.reply;
      return json({ detail: String(error) }, 500);
    }
  };
}

/** With the parser of another implementation: that of fetch. */
async function formOf({ body, headers }: Request): Promise<FormData> {
  const type = headers["content-type"] ?? "";
  if (!type.startsWith("multipart/form-data")) throw new Refused(422, { detail: "a form is wanted" });
  return new Response(new Uint8Array(body), { headers: { "content-type": type } }).formData();
}

async function volumePart(form: FormData, name: string, ending = ".nii.gz"): Promise<void> {
  const part = form.get(name);
  if (!(part instanceof File))
    throw new Refused(422, { detail: [{ loc: ["body", name], msg: "Field required" }] });
  if (!part.name.endsWith(ending)) throw new Refused(500, { detail: `cannot read ${part.name}` });
  checked(new Uint8Array(await part.arrayBuffer()));
}

function checked(volume: Uint8Array): void {
  if (!isTheVolume(volume)) throw new Refused(500, { detail: "not the volume that was sent" });
}

function jsonIn({ body, headers }: Request): Record<string, unknown> {
  if (headers["content-type"] !== "application/json") throw new Refused(415, { detail: "JSON is wanted" });
  return JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>;
}

/** So many times the server is busy before it answers. */
export interface Mood {
  readonly busy?: number;
}

function busyFirst(times: number | undefined, reply: () => never): () => void {
  let left = times ?? 0;
  return () => {
    if (left > 0) {
      left -= 1;
      reply();
    }
  };
}

/** src/http_server.cc, docs/protocol/extension_binary_data.md */
export function triton(labels: Uint8Array, mood: Mood & { readonly maxBytes?: number } = {}): Script {
  const rest = busyFirst(mood.busy, () => {
    throw new Refused(503, { error: "Exceeds maximum queue size" });
  });
  return server({
    "GET /v2/models/teeth/ready": () => ({ kind: "answer", status: 200 }),
    "POST /v2/models/teeth/infer": ({ headers, body }) => {
      rest();
      const bad = (error: string): never => {
        throw new Refused(400, { error });
      };
      if (body.length > (mood.maxBytes ?? 1 << 26)) bad(`request size ${body.length} exceeds the maximum`);
      const length = Number(headers["inference-header-content-length"] ?? bad("no binary extension"));
      const head = JSON.parse(Buffer.from(body.subarray(0, length)).toString()) as {
        inputs: {
          name: string;
          datatype: string;
          shape: number[];
          parameters: { binary_data_size: number };
        }[];
        parameters?: { binary_data_output?: boolean };
      };
      const [image, ...more] = head.inputs;
      if (image?.name !== "IMAGE" || image.datatype !== "FP32") bad("unexpected inference input");
      if (image?.shape.join() !== "1,1,3,4,5") bad("unexpected shape for input 'IMAGE'");
      const sizes = head.inputs.map(({ parameters }) => parameters.binary_data_size);
      if (sizes[0] !== 240 || length + sizes.reduce((a, b) => a + b) !== body.length) bad("unexpected size");
      if (more.some(({ name }) => name !== "SPACING")) bad("unexpected inference input");
      if (head.parameters?.binary_data_output !== true) bad("this double only answers in binary");
      const scores = Buffer.alloc(8);
      const outputs = [
        { name: "SCORES", datatype: "FP32", shape: [2], parameters: { binary_data_size: 8 } },
        {
          name: "SEG",
          datatype: "UINT8",
          shape: [1, 1, 3, 4, 5],
          parameters: { binary_data_size: labels.length },
        },
      ];
      const answer = Buffer.from(JSON.stringify({ model_name: "teeth", model_version: "1", outputs }));
      return {
        kind: "answer",
        headers: {
          "content-type": "application/octet-stream",
          "inference-header-content-length": `${answer.length}`,
        },
        body: Buffer.concat([answer, scores, labels]),
      };
    },
  });
}

/** docs/inference_api.md, docs/token_authorization_api.md */
export function torchServe(answer: Uint8Array, mood: Mood & { readonly key?: () => string } = {}): Script {
  const rest = busyFirst(mood.busy, () => {
    throw new Refused(503, { code: 503, type: "ServiceUnavailableException", message: "Model is busy" });
  });
  return server({
    "GET /ping": () => json({ status: "Healthy" }),
    "POST /predictions/sinus": ({ headers, body }) => {
      if (mood.key && headers.authorization !== `Bearer ${mood.key()}`)
        throw new Refused(401, {
          code: 401,
          type: "InvalidKeyException",
          message: "Token Authorization failed",
        });
      rest();
      if (body.length > 6_553_500) throw new Refused(413, { code: 413, type: "RequestTooLarge" });
      checked(body);
      return file(answer);
    },
  });
}

/** docs/source/reference/bentoml, src/_bentoml_impl/server/app.py */
export function bentoml(answer: Uint8Array, mood: Mood = {}): Script {
  const rest = busyFirst(mood.busy, () => {
    throw new Refused(429, { error: "Too many requests" });
  });
  return server({
    "GET /readyz": () => ({ kind: "answer", body: "" }),
    "POST /segment": async (request) => {
      rest();
      await volumePart(await formOf(request), "image");
      return file(answer, "application/x-gzip");
    },
  });
}

/** docs/source/get-started/async-task-queues.rst; the statuses are those on the wire. */
export function bentomlTask(
  answer: Uint8Array,
  statuses: readonly string[],
): Script & { readonly canceled: string[] } {
  const asked = new Map<string, number>();
  const canceled: string[] = [];
  const taskIn = (url: URL): string => {
    const task = url.searchParams.get("task_id") ?? "";
    if (!asked.has(task)) throw new Refused(404, { error: "task not found" });
    return task;
  };
  const script = server({
    "POST /segment/submit": async (request) => {
      await volumePart(await formOf(request), "image");
      const task = randomUUID().replaceAll("-", "");
      asked.set(task, 0);
      return json({ task_id: task, status: "pending" });
    },
    "GET /segment/status": (_, url) => {
      const task = taskIn(url);
      const at = asked.get(task)!;
      asked.set(task, at + 1);
      return json({ task_id: task, status: statuses[Math.min(at, statuses.length - 1)], executed_at: null });
    },
    "GET /segment/get": (_, url) => {
      const task = taskIn(url);
      if (asked.get(task)! < statuses.length) throw new Refused(404, { error: "result not ready" });
      return file(answer);
    },
    "PUT /segment/cancel": (_, url) => {
      canceled.push(taskIn(url));
      return json({ status: "canceled" });
    },
  });
  return Object.assign(script, { canceled });
}

/** doc/source/serve/http-guide.md; BackpressureConfig(status_code, retry_after_s) */
export function rayServe(answer: Uint8Array, mood: Mood = {}): Script {
  const rest = busyFirst(mood.busy, () => {
    throw new Refused(429, {}, { "retry-after": "7" });
  });
  return server({
    "GET /-/healthz": () => ({ kind: "answer", body: "success" }),
    "POST /seg": ({ body }) => {
      rest();
      checked(body);
      return file(answer);
    },
  });
}

/** UploadFile and FileResponse; Starlette refuses a text part above 1 MiB. */
export function fastApi(answer: Uint8Array, mood: Mood = {}): Script {
  const rest = busyFirst(mood.busy, () => {
    throw new Refused(503, { detail: "Service Unavailable" });
  });
  return server({
    "POST /predict": async (request) => {
      rest();
      const form = await formOf(request);
      for (const value of form.values())
        if (typeof value === "string" && value.length > 1024 * 1024)
          throw new Refused(400, { detail: "Part exceeded maximum size of 1024KB." });
      await volumePart(form, "file");
      return file(answer, "application/gzip");
    },
  });
}

/** monailabel/endpoints/infer.py: nearly every fault is a 500. */
export function monaiLabel(answer: Uint8Array): Script {
  return server({
    "GET /info/": () => json({ name: "app", labels: ["tooth"] }),
    "POST /infer/deepedit_seg": async (request, url) => {
      const form = await formOf(request);
      const params = form.get("params");
      if (typeof params === "string") JSON.parse(params);
      await volumePart(form, "file");
      const measured = { label_names: { tooth: 1 }, latencies: { infer: 1.2 } };
      const output = url.searchParams.get("output");
      if (output === "json") return json(measured);
      if (output !== "all") return file(gzipSync(answer));
      const parts = new FormData();
      parts.append("params", JSON.stringify(measured));
      parts.append(
        "image",
        new Blob([new Uint8Array(gzipSync(answer))], { type: "application/octet-stream" }),
        "tmp.nii.gz",
      );
      const whole = new Response(parts);
      const type = whole.headers.get("content-type") ?? "";
      return file(new Uint8Array(await whole.arrayBuffer()), type);
    },
  });
}

async function fetched(link: unknown): Promise<Uint8Array> {
  if (typeof link !== "string" || !/^http:\/\/127\.0\.0\.1:\d+\//.test(link))
    throw new Refused(422, { detail: "no URL" });
  const head = await fetch(link, { method: "HEAD" });
  const length = Number(head.headers.get("content-length"));
  const half = Math.floor(length / 2);
  const parts = await Promise.all(
    [`bytes=0-${half - 1}`, `bytes=${half}-`].map(async (range) => {
      const response = await fetch(link, { headers: { range } });
      if (response.status !== 206) throw new Refused(500, { detail: `range gave ${response.status}` });
      return Buffer.from(await response.arrayBuffer());
    }),
  );
  return Buffer.concat(parts);
}

function zip(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  return Buffer.concat(
    zipOf(Object.entries(files).map(([name, bytes]) => ({ name, bytes, crc: crc32(bytes) }))),
  );
}

/** docs.nvidia.com/nim/medical/vista3d: the image is pulled, in ranges as downloaders do; the answer is a zip. */
export function nimVista3d(answer: Uint8Array): Script {
  return server({
    "GET /v1/health/ready": () => json({ status: "ready" }),
    "POST /v1/vista3d/inference": async (request) => {
      const { image, prompts } = jsonIn(request) as { image?: unknown; prompts?: { classes?: unknown } };
      if (!Array.isArray(prompts?.classes))
        throw new Refused(422, { detail: "prompts.classes has to be a list" });
      checked(await fetched(image));
      return file(zip({ "volume_seg.nii.gz": gzipSync(answer) }), "application/zip");
    },
  });
}

/** server.py: one mask for each structure; a wrong key is a 401, a failed run an empty zip. */
export function totalSegmentator(masks: Readonly<Record<string, Uint8Array>>, key: string): Script {
  return server({
    "POST /predict_image": async (request) => {
      const form = await formOf(request);
      if (form.get("api_key") !== key) throw new Refused(401, { error: "invalid key" });
      await volumePart(form, "data_binary");
      return file(zip(masks), "application/zip");
    },
  });
}

/** docs/http.md: a prediction under the caller's id, one at a time, told by webhook. */
export function cog(
  answer: Uint8Array,
  options: Mood & { readonly ends?: string; readonly calls?: number } = {},
): Script {
  const rest = busyFirst(options.busy, () => {
    throw new Refused(409, { detail: "Already running a prediction" });
  });
  return server({
    "GET /health-check": () => json({ status: "READY" }),
    "PUT /predictions/[\\w-]+": async (request, url) => {
      rest();
      const id = url.pathname.split("/").at(-1);
      const {
        input,
        webhook,
        webhook_events_filter: events,
      } = jsonIn(request) as {
        input?: { image?: unknown };
        webhook?: string;
        webhook_events_filter?: readonly string[];
      };
      if (request.headers["prefer"] !== "respond-async")
        throw new Refused(422, { detail: "this double is asynchronous" });
      if (webhook === undefined || events?.join() !== "completed")
        throw new Refused(422, { detail: "webhook" });
      const image = await fetched(input?.image);
      const tell = async (): Promise<void> => {
        checked(image);
        const status = options.ends ?? "succeeded";
        const output = `data:application/gzip;base64,${gzipSync(answer).toString("base64")}`;
        const body = JSON.stringify({
          id,
          status,
          ...(status === "succeeded" ? { output } : { error: "out of memory" }),
        });
        for (let n = 0; n < (options.calls ?? 1); n += 1)
          await fetch(webhook, { method: "POST", headers: { "content-type": "application/json" }, body });
      };
      setImmediate(() => void tell().catch(() => undefined));
      return json({ id, status: "starting" }, 202);
    },
    "POST /predictions/[\\w-]+/cancel": () => json({}),
  });
}

/** MedImageParse 3D on an Azure ML online endpoint. */
export function azureMl(answer: Uint8Array, key: string, mood: Mood = {}): Script {
  const rest = busyFirst(mood.busy, () => {
    throw new Refused(429, { error: { code: "TooManyRequests" } });
  });
  return server({
    "POST /score": (request) => {
      if (request.headers.authorization !== `Bearer ${key}`)
        throw new Refused(401, { error: "key_auth_bad_header_forbidden" });
      rest();
      const { input_data: input } = jsonIn(request) as {
        input_data: {
          columns: readonly string[];
          index: readonly number[];
          data: readonly (readonly string[])[];
        };
      };
      const [row] = input.data;
      if (input.columns.join() !== "image,text" || input.index.join() !== "0" || row?.length !== 2)
        throw new Refused(424, { message: "list index out of range" });
      checked(Buffer.from(row[0] ?? "", "base64"));
      return json([{ nifti_file: JSON.stringify({ data: gzipSync(answer).toString("base64") }) }]);
    },
  });
}

/** A handler of a Hugging Face endpoint that was scaled to zero. */
export function huggingFace(answer: Uint8Array, key: string, mood: Mood = {}): Script {
  const rest = busyFirst(mood.busy, () => {
    throw new Refused(503, { error: "503 Service Unavailable" });
  });
  return server({
    "POST /": (request) => {
      if (request.headers.authorization !== `Bearer ${key}`)
        throw new Refused(401, { error: "Unauthorized" });
      rest();
      const { inputs } = jsonIn(request) as { inputs: string };
      checked(Buffer.from(inputs, "base64"));
      return json({ mask: gzipSync(answer).toString("base64") });
    },
  });
}

/** SageMaker's runtime and S3 in one: signatures are checked as AWS documents them, objects appear late. */
export function sageMaker(
  answer: Uint8Array,
  credentials: { readonly accessKey: string; readonly secretKey: string },
  options: { readonly fails?: boolean; readonly after?: number } = {},
): Script & { readonly objects: Map<string, Uint8Array> } {
  const objects = new Map<string, Uint8Array>();
  let asked = 0;
  const script = server({
    "PUT /bucket/.*": (request, url) => {
      checkSignature(request, credentials, "s3");
      objects.set(url.pathname.slice("/bucket/".length), request.body);
      return { kind: "answer" };
    },
    "DELETE /bucket/.*": (request, url) => {
      checkSignature(request, credentials, "s3");
      objects.delete(url.pathname.slice("/bucket/".length));
      return { kind: "answer", status: 204 };
    },
    "POST /endpoints/seg/async-invocations": (request) => {
      checkSignature(request, credentials, "sagemaker");
      const location = request.headers["x-amzn-sagemaker-inputlocation"];
      const [, key] = /^s3:\/\/in-and-out\/(.*)$/.exec(String(location)) ?? [];
      const volume = objects.get(key ?? "");
      if (!volume) throw new Refused(400, { Message: `InputLocation ${String(location)} does not exist` });
      checked(volume);
      const [out, failed] = ["s3://in-and-out/out/1.out", "s3://in-and-out/failed/1.out"];
      return json({ InferenceId: "1", OutputLocation: out, FailureLocation: failed }, 202);
    },
    "GET /bucket/out/1.out": (request) => {
      checkSignature(request, credentials, "s3");
      asked += 1;
      if (options.fails || asked <= (options.after ?? 2)) throw new Refused(403, "AccessDenied");
      return file(gzipSync(answer));
    },
    "GET /bucket/failed/1.out": (request) => {
      checkSignature(request, credentials, "s3");
      if (!options.fails) throw new Refused(403, "AccessDenied");
      return { kind: "answer", body: "CUDA error" };
    },
  });
  return Object.assign(script, { objects });
}

/** Written from the AWS documentation, not from the code under test. */
function checkSignature(
  request: Request,
  { accessKey, secretKey }: { readonly accessKey: string; readonly secretKey: string },
  service: string,
): void {
  const sha256 = (text: Uint8Array | string): string => createHash("sha256").update(text).digest("hex");
  const [, scope = "", names = "", proof] =
    new RegExp(
      `^AWS4-HMAC-SHA256 Credential=${accessKey}/(\\S+), SignedHeaders=(\\S+), Signature=([0-9a-f]{64})$`,
    ).exec(request.headers.authorization ?? "") ?? [];
  const time = String(request.headers["x-amz-date"]);
  const [day, region, signedFor] = scope.split("/");
  const url = new URL(request.path, "http://x");
  const headers = names.split(";").map((name) => `${name}:${String(request.headers[name]).trim()}\n`);
  const payload = String(request.headers["x-amz-content-sha256"] ?? sha256(request.body));
  const canonical = [request.method, url.pathname, "", headers.join(""), names, payload].join("\n");
  let key: Buffer | string = `AWS4${secretKey}`;
  for (const part of [day, region, service, "aws4_request"])
    key = createHmac("sha256", key)
      .update(part ?? "")
      .digest();
  const expected = createHmac("sha256", key)
    .update(["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n"))
    .digest("hex");
  const isTrue = signedFor === service && proof === expected && names.split(";").includes("host");
  if (!isTrue || (payload !== "UNSIGNED-PAYLOAD" && payload !== sha256(request.body)))
    throw new Refused(403, { Code: "SignatureDoesNotMatch" });
}
