/** Presets, placeholders, and the examples of model contracts. */
import { expect, test } from "vitest";
import { type Loaded, parseConfig } from "../../src/config/load.ts";
import { readPresets, withPresets } from "../../src/config/server-presets.ts";
import type { Model } from "../../src/inference/model.ts";
import { EXAMPLES } from "../inference/examples.ts";

const SEGMENTS = `segments: { 1: { label: A, category: "SCT:91723000:a", type: "SCT:91609006:b" } }`;

function load(settings: string, more = "modelAccess: { port: 0 }"): Loaded {
  const text = `node: { aeTitle: ISOCENTER, dataDir: data }
dicom: { callers: [{ aeTitle: "*", from: 127.0.0.1 }] }
slots: { gpu: 1 }
${more}
models:
  tested:
    ${SEGMENTS}
${settings}`;
  return parseConfig(text, "/etc/node.yaml");
}

function modelOf(settings: string): Model {
  const loaded = load(settings);
  if (loaded.kind === "ok") return loaded.config.models.get("tested")!;
  throw new Error(loaded.problems.map(({ line, message }) => `${line}: ${message}`).join("\n"));
}

function problemsOf(settings: string, more?: string): readonly string[] {
  const loaded = load(settings, more);
  return loaded.kind === "ok"
    ? []
    : loaded.problems.map(({ message }) => message.replace("models.tested.", ""));
}

test("there are seventeen examples", () => {
  expect(Object.keys(EXAMPLES)).toHaveLength(17);
});

test.each(Object.entries(EXAMPLES))("the example %s loads", (_, settings) => {
  expect(problemsOf(settings)).toEqual([]);
});

test("a preset lends what is not written, and nothing of it outlasts another choice", () => {
  const url = "    preset: bentoml-task\n    url: http://a:3000/segment\n";
  const plain = modelOf(url);
  expect(plain.transport).toMatchObject({
    kind: "poll",
    status: { everyMs: 2000 },
    cancel: { method: "PUT" },
  });
  const slower = modelOf(`${url}    transport: { poll: { status: { every: 10s } } }\n`);
  expect(slower.transport).toEqual({
    ...plain.transport,
    status: { ...(plain.transport as never as { status: object }).status, everyMs: 10_000 },
  });
  expect(modelOf(`${url}    transport: sync\n`).transport).toEqual({ kind: "sync" });
  const { request } = modelOf(`${url}    request: { format: nrrd, body: raw }\n`);
  expect(request).toMatchObject({ format: "nrrd", compression: "gzip", body: { kind: "raw" } });
  const tensor = modelOf(`${url}    request: { format: kserve, input: IMAGE, datatype: INT16 }\n`);
  expect(tensor.request).not.toHaveProperty("body");
});

test("an unknown preset is named, with the one that was meant", () => {
  expect(problemsOf("    preset: bentomll\n    url: http://a/b\n    request: { format: nifti }\n")).toEqual([
    "preset: there is no preset bentomll; did you mean bentoml?",
  ]);
});

test("what a preset leaves to be written is told at the model", () => {
  expect(problemsOf("    preset: kserve-v2\n    url: http://a/v2/models/m/infer\n")).toEqual([
    "request.input: is missing: text of 1 to 128 characters",
  ]);
  expect(problemsOf("    preset: azure-ml\n    url: https://a/score\n")).toEqual([
    "request.body.json.input_data.data[0][1]: there is no text in params",
  ]);
});

test("a config without models is left as it is", () => {
  for (const config of [undefined, [], { models: [] }, { models: { a: 1, b: null } }])
    expect(withPresets(config, readPresets())).toEqual({ value: config, findings: [] });
});

const NIFTI = "    url: http://a/b\n    request: { format: nifti";

const WRONG: readonly (readonly [settings: string, message: string])[] = [
  [
    `${NIFTI}, body: { json: { a: "\${volume.ulr}" } } }`,
    "request.body.json.a: there is no ${volume.ulr}; did you mean volume.url?",
  ],
  [
    `${NIFTI}, body: { json: { a: "\${volume.bytes}" } } }`,
    "request.body.json.a: ${volume.bytes} stands alone, as the data of a part",
  ],
  [
    `${NIFTI}, body: { multipart: [{ name: a, data: "x \${volume.bytes}" }] } }`,
    "request.body.multipart[0].data: ${volume.bytes} stands alone, as the data of a part",
  ],
  [
    `${NIFTI}, body: { multipart: [{ name: a, data: "\${volume.base64}" }] } }`,
    "request.body.multipart[0].data: ${volume.base64} stands in the texts of a json body",
  ],
  [
    `${NIFTI} }\n    headers: { x-key: "\${secret:../key}" }`,
    "headers.x-key: ${secret:../key} is no name of a secret: letters, digits, _, . and -",
  ],
  [
    `${NIFTI} }\n    headers: { x-key: "\${param:key}" }\n    params: { kex: 1 }`,
    "headers.x-key: there is no key in params; did you mean kex?",
  ],
  [
    `${NIFTI}, body: { json: { a: "\${volume.path}" } } }`,
    "request.body.json.a: ${volume.path} needs the model's sharedFolder",
  ],
  [`${NIFTI} }\n    response: { unwrap: [file] }`, "response.unwrap: file needs the model's sharedFolder"],
  [
    `${NIFTI} }\n    transport: { webhook: { submit: { post: "" } } }`,
    "transport.webhook: nothing tells the model ${webhook.url}, where to call back",
  ],
  [
    `${NIFTI} }\n    transport: { poll: { submit: { post: "" }, status: { get: "/jobs/\${id}" } } }`,
    "transport.poll.status.get: there is no ${id}; there are",
  ],
  [
    `${NIFTI} }\n    transport: { poll: { submit: { post: "", put: "" }, status: { get: "" } } }`,
    'transport.poll.submit: found ["post","put"], allowed: exactly one of get, post, put, delete',
  ],
  [`${NIFTI} }\n    transport: { pol: {} }`, 'transport.pol: unknown key "pol"; did you mean poll?'],
  [`${NIFTI}, compression: zip }`, 'request.compression: found "zip", allowed: none or gzip or zstd'],
  [
    "    url: http://a/b\n    request: { format: nrrd, compression: zstd }",
    'request.compression: found "zstd", which "nrrd" does not have',
  ],
  [
    "    url: http://a/b\n    request: { format: npy, layout: XXY }",
    'request.layout: found "XXY", allowed: axes, slowest first',
  ],
  [
    "    url: http://a/b\n    request: { format: npy, layout: CCXYZ }",
    'request.layout: found "CCXYZ", allowed: axes, slowest first',
  ],
  [
    `${NIFTI} }\n    response: { unwrap: [{ pointer: status }] }`,
    'response.unwrap[0].pointer: found "status", allowed: a JSON Pointer',
  ],
  [`${NIFTI} }\n    response: { unwrap: [{ pointer: /a, zip: b }] }`, "response.unwrap[0]: found"],
  [
    `${NIFTI} }\n    response: { echoes: { /key: "\${secret:KEY}" } }`,
    "response.echoes./key: a secret is nothing that an answer repeats",
  ],
  [`${NIFTI} }\n    origins: ["http://a/b"]`, 'origins[0]: found "http://a/b", allowed: an origin such as'],
  [`${NIFTI} }\n    auth: { basic: x }`, 'auth.basic: unknown key "basic"'],
  [
    "    url: unix:run/m.sock:/predict\n    request: { format: nifti }",
    'url: found "unix:run/m.sock:/predict", allowed: a URL',
  ],
];

test.each(WRONG.map(([settings, message]) => [message, settings] as const))("%s", (message, settings) => {
  const problems = problemsOf(settings);
  expect(problems.map((each) => each.slice(0, message.length))).toContain(message);
});

test("a link or a call back needs an address where models reach the node", () => {
  const settings = EXAMPLES.cog;
  expect(problemsOf(settings, "")).toEqual([
    "request.body.json.input.image: ${volume.url} needs modelAccess, where models reach the node",
    "request.body.json.webhook: ${webhook.url} needs modelAccess, where models reach the node",
  ]);
});

test("paths of the settings are seen from the config file", () => {
  const { tls, sharedFolder } = modelOf(
    `${NIFTI} }\n    tls: { ca: ca.pem, cert: /run/node.pem, servername: gpu1 }\n    sharedFolder: { node: jobs, model: /mnt/jobs }`,
  );
  expect(tls).toEqual({ ca: "/etc/ca.pem", cert: "/run/node.pem", servername: "gpu1" });
  expect(sharedFolder).toEqual({ node: "/etc/jobs", model: "/mnt/jobs" });
});
