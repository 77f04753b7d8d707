import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { check } from "../../src/commands/check.ts";
import { type Loaded, loadConfig, parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { SIZE_LIMIT_BYTES } from "../../src/config/source.ts";
import { tempFolder } from "../support/temp.ts";

const SMALL = `
node: { aeTitle: ISOCENTER, dataDir: data }
dicom: { callers: [{ aeTitle: "*", from: 127.0.0.1 }] }
`;

const MODEL = `url: http://a/b, request: { format: nifti }, segments: { 1: { label: A, category: "SCT:91723000:a", type: "SCT:91609006:b" } }`;

function configOf(loaded: Loaded): Config {
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join("\n"));
  return loaded.config;
}

/** As `isocenter check` prints them, without the file. */
function problemsOf(text: string): readonly string[] {
  const loaded = parseConfig(text, "node.yaml");
  return loaded.kind === "ok"
    ? []
    : loaded.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);
}

test("what is not written has its default, in ms and bytes", () => {
  const config = configOf(parseConfig(SMALL, "/etc/isocenter/node.yaml"));
  expect(config).toEqual({
    node: {
      aeTitle: "ISOCENTER",
      dataDir: "/etc/isocenter/data",
      reserveBytes: 1_073_741_824,
      sync: "on",
      workers: config.node.workers,
      stopWithinMs: 30_000,
    },
    dicom: {
      aeTitle: "ISOCENTER",
      host: "127.0.0.1",
      port: 11112,
      callers: [{ aeTitle: "*", from: "127.0.0.1" }],
      acceptDeflated: false,
      limits: {
        associations: 25,
        associationsPerPeer: 25,
        pduBytes: 131_072,
        associateBytes: 262_144,
        commandBytes: 16_384,
        instanceBytes: 4_294_967_296,
        headerBytes: 67_108_864,
        sequenceDepth: 256,
      },
      timeouts: { artimMs: 25_000, idleMs: 60_000, inactivityMs: 25_000, graceMs: 10_000 },
    },
    assembly: { settleMs: 5_000, quietPeriodMs: 30_000, maximumWaitMs: 1_800_000, late: "supersede" },
    retention: { doneMs: 604_800_000, failedMs: 2_592_000_000 },
    volume: { missingSlices: "refuse", unevenSpacing: "refuse" },
    audit: { aeTitle: "ISOCENTER", fileBytes: 1_048_576, files: 1024 },
    notifications: [],
    destinations: new Map(),
    devices: new Map(),
    slots: {},
    models: new Map(),
    secrets: {},
    rules: [],
    log: { level: "info", levels: {}, format: "json" },
  });
  expect(config.node.workers).toBeGreaterThanOrEqual(1);
  expect(config.node.workers).toBeLessThanOrEqual(4);
});

test("a model is read with its codes, its labels as numbers, and only the optional settings that are written", () => {
  const config = configOf(
    parseConfig(
      `${SMALL}
slots: { gpu0: 2 }
models:
  canal:
    url: https://10.20.5.1:8002/v2/models/canal/infer
    version: "3"
    slots: { gpu0: 2 }
    deadline: 90s
    request: { format: kserve, input: IMAGE, datatype: FP32, spacing: SPACING }
    response: { output: SEG, maxBytes: 64MiB }
    segments:
      300:
        label: Left canal
        category: SCT:91723000:Anatomical structure
        type: MSH:D000088263:Mandibular Canal
        modifier: SCT:7771000:Left
        color: [0, 128, 255]
`,
      "node.yaml",
    ),
  );
  expect([...config.models.values()]).toEqual([
    {
      name: "canal",
      url: "https://10.20.5.1:8002/v2/models/canal/infer",
      version: "3",
      slots: { gpu0: 2 },
      replicas: [],
      needs: {},
      cache: false,
      deadlineMs: 90_000,
      lingerMs: 0,
      attempts: 4,
      onEmpty: "no-finding",
      headers: {},
      params: {},
      request: {
        format: "kserve",
        input: "IMAGE",
        datatype: "FP32",
        spacing: "SPACING",
        layout: "NCZYX",
        orientation: "native",
        parameters: {},
      },
      transport: { kind: "sync" },
      statuses: { ok: [], busy: [408, 409, 425, 429, 503] },
      response: {
        as: "labelmap",
        grid: "exact",
        output: "SEG",
        unwrap: [],
        echoes: {},
        maxBytes: 67_108_864,
      },
      limits: { ratio: 1100, retryAfterMs: 60_000 },
      origins: [],
      urlMap: {},
      segments: new Map([
        [
          300,
          {
            label: "Left canal",
            category: { scheme: "SCT", value: "91723000", meaning: "Anatomical structure" },
            type: { scheme: "MSH", value: "D000088263", meaning: "Mandibular Canal" },
            modifier: { scheme: "SCT", value: "7771000", meaning: "Left" },
            color: [0, 128, 255],
          },
        ],
      ]),
      onUnknownLabel: "refuse",
      absentSegments: "drop",
    },
  ]);
  expect(Object.keys(config.models.get("canal")?.segments.get(300) ?? {})).not.toContain("anatomy");
});

test("places, servers and needs of a model are read in the short form and in the long one", () => {
  const text = `${SMALL}
slots: { gpu0: 2, gpu1: { places: 3, stat: 1 } }
models:
  a: { expect: 90s, hedge: 3, replicas: [{ url: "http://b:1/x", slots: { gpu1: 2 } }], ${MODEL} }
  b: { needs: { a: { crop: { label: 1, marginMm: 2.5 } } }, ${MODEL} }
  c: { needs: { a: { crop: { marginMm: 0 }, otherwise: run }, b: {} }, cache: true, ${MODEL} }
`;
  const { slots, models } = configOf(parseConfig(text, "node.yaml"));
  expect(slots).toEqual({ gpu0: { places: 2, stat: 0 }, gpu1: { places: 3, stat: 1 } });
  expect(models.get("a")).toMatchObject({
    expectMs: 90_000,
    hedge: 3,
    replicas: [{ url: "http://b:1/x", slots: { gpu1: 2 } }],
  });
  expect(models.get("b")?.needs).toEqual({
    a: { crop: { labels: [1], marginMm: 2.5 }, otherwise: "skip" },
  });
  expect(models.get("c")).toMatchObject({
    needs: { a: { crop: { marginMm: 0 }, otherwise: "run" }, b: { otherwise: "skip" } },
    cache: true,
  });
});

test("needs that cannot be met, places that nobody may have and a hedge without a second server are problems", () => {
  const text = `${SMALL}
slots: { gpu0: { places: 2, stat: 1 }, gpu1: { places: 1, stat: 1 } }
models:
  a: { needs: { b: {} }, hedge: 2, ${MODEL} }
  b: { needs: { c: {} }, slots: { gpu0: 2 }, ${MODEL} }
  c: { needs: { a: {}, teth: {} }, replicas: [{ url: "http://b:1/x", slots: { gpu2: 1 } }], ${MODEL} }
  d: { needs: { e: { crop: { label: [1, 9], marginMm: 1 } } }, ${MODEL} }
  e: { needs: { e: {} }, ${MODEL} }
rules: [{ name: all, when: "true", models: [d], sendTo: [pacs] }]
`;
  expect(problemsOf(text).map((line) => line.slice(line.indexOf(" ") + 1))).toEqual(
    expect.arrayContaining([
      "slots.gpu1.stat: found 1, allowed: at most 0, so that routine studies have a place",
      "models.a.hedge: needs replicas: there is no other server to ask",
      "models.a.needs.b: needs itself: a needs b needs c needs a",
      "models.b.slots.gpu0: found 2, allowed: at most 1, the places that gpu0 has",
      "models.c.needs.teth: there is no teth in models",
      "models.c.replicas[0].slots.gpu2: there is no gpu2 in slots; did you mean gpu0?",
      "models.d.needs.e.crop.label: model e has no segment 9, it has 1",
      "models.e.needs.e: needs itself: e needs e",
      "rules[0].models[0]: d needs e, which is not among these models",
    ]),
  );
});

test.each([
  ["asReady", { kind: "asReady" }],
  ["all", { kind: "all" }],
  ["{ partialAfter: 10m }", { kind: "partial", afterMs: 600_000 }],
])("fanIn: %s is read", (written, read) => {
  const text = `${SMALL}models: { a: { ${MODEL} } }
destinations: { pacs: { aeTitle: PACS, host: a, port: 104 } }
rules: [{ name: all, when: "true", models: [a], sendTo: [pacs], fanIn: ${written} }]`;
  const loaded = configOf(parseConfig(text, "node.yaml"));
  expect(loaded.rules[0]?.fanIn).toEqual(read);
});

test("a body is raw, or a file in a form", () => {
  const bodyOf = (body: string): unknown => {
    const text = `${SMALL}models: { a: { ${MODEL.replace("nifti", `nifti${body}`)} } }`;
    const request = configOf(parseConfig(text, "node.yaml")).models.get("a")?.request;
    return request?.format === "nifti" ? request.body : undefined;
  };
  expect(bodyOf("")).toEqual({ kind: "raw" });
  expect(bodyOf(", body: raw")).toEqual({ kind: "raw" });
  expect(bodyOf(", body: { multipart: { field: f, filename: v.nii } }")).toEqual({
    kind: "multipart",
    parts: [{ name: "f", filename: "v.nii", data: "${volume.bytes}" }],
  });
});

test("a destination is called under its own AE title or ours", () => {
  const text = `${SMALL}
destinations:
  pacs: { aeTitle: PACS, host: pacs.example, port: 104 }
  archive: { aeTitle: ARCHIVE, host: "::1", port: 4242, callingAeTitle: AI, retryFor: 7d, segmentation: { as: labelmap, compression: rle } }
`;
  const { destinations } = configOf(parseConfig(text, "node.yaml"));
  const timeouts = { connectTimeoutMs: 10_000, answerTimeoutMs: 60_000 };
  expect([...destinations.values()]).toEqual([
    {
      name: "pacs",
      aeTitle: "PACS",
      callingAeTitle: "ISOCENTER",
      host: "pacs.example",
      port: 104,
      segmentation: { as: "binary", compression: "none" },
      storageCommitment: false,
      retryForMs: 259_200_000,
      commitWithinMs: 86_400_000,
      ...timeouts,
    },
    {
      name: "archive",
      aeTitle: "ARCHIVE",
      callingAeTitle: "AI",
      host: "::1",
      port: 4242,
      segmentation: { as: "labelmap", compression: "rle" },
      storageCommitment: false,
      retryForMs: 604_800_000,
      commitWithinMs: 86_400_000,
      ...timeouts,
    },
  ]);
});

test("every problem of a config is told at once, where it stands, in the order of the file", () => {
  expect(
    problemsOf(`node: { aeTitle: "THIS IS MUCH TOO LONG", dataDr: x, workers: 0 }
dicom:
  listen: { port: "11112" }
  callers: [{ aeTitle: CT1, from: 10.20.0.0/33 }]
destinations:
  pacs: { aeTitle: PACS, host: a b, retryFor: 72 }
slots: { gpu: 1 }
models:
  1bad: {}
  teeth:
    url: ftp://x
    slots: { gpu: 2, gpy: 1 }
    request: { format: niftii }
    response: { output: X }
    segments:
      0: { label: A }
      1: { label: B, category: "SCT:1:x", type: SRT:T-1:x }
      2: { label: B, category: SCT:91723000, type: "SCT:91609006:M", color: [1, 2, 300] }
  bone:
    url: http://user:secret@a
    request: { format: nifti, body: { multipart: { field: f, filname: g } } }
    response: { output: X }
    segments: {}
  air:
    url: http://a
    request: { format: nifti, body: rw }
rules:
  - { name: a, when: 'Modalty == "CT" && SliceThicknes < 1', models: [tooth], sendTo: [pac], priority: urgent }
  - { name: a, when: Modality == 3, models: [], sendTo: [pacs, pacs] }
  - when: Modality == "CT" &&
    name: c
    models: [teeth]
  - { name: d, when: "true", models: [bone], sendTo: [pacs], priority: 'Modality == "CT" ? "now" : "stat"' }
lgo: {}
`),
  ).toEqual([
    `1:1: node.dataDir: is missing: text of 1 to 1024 characters`,
    `1:18: node.aeTitle: found "THIS IS MUCH TOO LONG", allowed: an AE title of 1 to 16 characters`,
    `1:43: node.dataDr: unknown key "dataDr"; did you mean dataDir?`,
    `1:63: node.workers: found 0, allowed: a whole number from 1 to 64`,
    `3:19: dicom.listen.port: found "11112", allowed: a whole number from 0 to 65535`,
    `4:35: dicom.callers[0].from: found "10.20.0.0/33", allowed: an IP address, a network such as 10.20.0.0/16, or "*"`,
    `6:3: destinations.pacs.port: is missing: a whole number from 1 to 65535`,
    `6:32: destinations.pacs.host: found "a b", allowed: a host name or an IP address`,
    `6:47: destinations.pacs.retryFor: found 72, allowed: a duration from 1m to 30d`,
    `9:3: models.1bad: found "1bad", allowed: a name of 1 to 63 letters, digits, - and _, starting with a letter`,
    `11:10: models.teeth.url: found "ftp://x", allowed: a URL that begins with http:// or https://, or unix:/socket:/path`,
    `12:19: models.teeth.slots.gpu: found 2, allowed: at most 1, the places that gpu has`,
    `12:22: models.teeth.slots.gpy: there is no gpy in slots; did you mean gpu?`,
    `13:24: models.teeth.request.format: found "niftii", allowed: nifti, nrrd, metaimage, npy, raw, dicom-zip or kserve`,
    `16:7: models.teeth.segments.0: found "0", allowed: a label value from 1 to 65535; 0 is the background`,
    `17:32: models.teeth.segments.1.category: "1" is no SNOMED CT identifier: 6 to 18 digits`,
    `17:49: models.teeth.segments.1.type: coding scheme SRT is retired: give the SCT identifier`,
    `18:19: models.teeth.segments.2.label: segment 1 has the label "B" already`,
    `18:32: models.teeth.segments.2.category: "SCT:91723000" is not scheme:value:meaning`,
    `18:84: models.teeth.segments.2.color[2]: found 300, allowed: a whole number from 0 to 255`,
    `20:10: models.bone.url: a URL with a user or password would be logged`,
    `21:39: models.bone.request.body.multipart.filename: is missing: text of 1 to 128 characters`,
    `21:62: models.bone.request.body.multipart.filname: unknown key "filname"; did you mean filename?`,
    `22:17: models.bone.response.output: only a model with the request format kserve has named outputs`,
    `23:15: models.bone.segments: no segment, allowed: at least one by its label value, or a preset`,
    `24:3: models.air.segments: is missing: segments by label value, or { preset: NAME }`,
    `26:37: models.air.request.body: found "rw", allowed: raw, none, { multipart: … } or { json: … }`,
    `28:23: rules[0].when: Modalty is no DICOM keyword; did you mean Modality?`,
    `28:42: rules[0].when: SliceThicknes is no DICOM keyword; did you mean SliceThickness?`,
    `28:71: rules[0].models[0]: there is no tooth in models; did you mean teeth?`,
    `28:88: rules[0].sendTo[0]: there is no pac in destinations; did you mean pacs?`,
    `28:104: rules[0].priority: found "urgent", allowed: routine, stat, or CEL: condition ? "stat" : "routine"`,
    `29:13: rules[1].name: rule 1 has the name "a" already`,
    `29:22: rules[1].when: no such overload: string == int`,
    `29:45: rules[1].models: found [], allowed: a list of names of models, at least one`,
    `29:64: rules[1].sendTo[1]: pacs stands here a second time`,
    `30:5: rules[2].sendTo: is missing: a list of names of destinations, at least one`,
    `30:30: rules[2].when: Unexpected token: EOF`,
    `33:73: rules[3].priority: a priority is routine, stat or a choice: condition ? "stat" : "routine"`,
    `34:1: lgo: unknown key "lgo"; did you mean log?`,
  ]);
});

test.each([
  ["127.0.0.1", "0.0.0.0"],
  ["localhost", "127.0.0.1"],
  ["10.20.1.5", "10.20.1.5"],
  ["::1", "::"],
])("%s is our own listener on %s, and no destination", (host, listening) => {
  const config = (port: number) => `
node: { aeTitle: ISOCENTER, dataDir: data }
dicom: { listen: { host: "${listening}", port: 104 }, callers: [{ aeTitle: "*", from: "*" }] }
destinations:
  pacs: { aeTitle: PACS, host: "${host}", port: ${port} }
`;
  const column = 42 + host.length;
  expect(problemsOf(config(104))).toEqual([
    `5:${column}: destinations.pacs.port: ${host}:104 is this node's own listener; results would come back as new series`,
  ]);
  expect(problemsOf(config(105))).toEqual([]);
});

test("a caller comes from an address, a network or anywhere; nobody may call by default", () => {
  const from = (written: string) =>
    problemsOf(`
node: { aeTitle: ISOCENTER, dataDir: data }
dicom: { callers: [{ aeTitle: CT1, from: "${written}" }] }`);
  for (const good of ["10.20.1.5", "10.20.0.0/16", "*", "fe80::1", "2001:db8::/32", "0.0.0.0/0"])
    expect(from(good)).toEqual([]);
  for (const bad of [
    "",
    "10.20.1",
    "10.20.0.0/33",
    "10.20.0.0/",
    "10.20.0.0/8/8",
    "::/129",
    "ct1.example",
    "10.0.0.0/-1",
  ]) {
    expect(from(bad), bad).toHaveLength(1);
  }
  expect(problemsOf("node: { aeTitle: ISOCENTER, dataDir: data }\ndicom: {}\n")).toEqual([
    "2:1: dicom.callers: is missing: a list of callers, at least one",
  ]);
});

test("names that every object has already are no names", () => {
  expect(problemsOf(`${SMALL}slots: { constructor: 1, toString: 2, gpu: 3 }`)).toHaveLength(2);
});

test.each([
  ["0.0.0.0", "", 1],
  ["node.example", "", 1],
  ["0.0.0.0", `, tokens: [{ name: t, hash: "sha256:${"0".repeat(64)}" }]`, 0],
  ["127.0.0.1", "", 0],
  ["localhost", "", 0],
])(
  "pages at %s%s are %i problems: beyond this machine somebody has to be named",
  (host, access, problems) => {
    expect(problemsOf(`${SMALL}http: { listen: { host: ${host} }${access} }`)).toHaveLength(problems);
  },
);

test("an empty file, or one that holds no settings, lacks what is required", () => {
  const missing = [
    "1:1: node: is missing: the settings aeTitle, dataDir, reserve, sync, workers, stopWithin",
  ];
  expect(problemsOf("")).toEqual(expect.arrayContaining(missing));
  expect(problemsOf("# nothing")).toHaveLength(2);
  expect(problemsOf("- a")).toEqual([
    `1:1: found ["a"], allowed: the settings node, dicom, assembly, volume, destinations, slots, models, modelAccess, secrets, rules, retention, log, http, audit, notifications`,
  ]);
});

test("a file that cannot be read, is too large or is not UTF-8 is a problem like any other", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "node.yaml");
  const only = async (): Promise<unknown> => {
    const loaded = await loadConfig(path);
    return loaded.kind === "invalid" ? loaded.problems : loaded.kind;
  };
  const whole = { file: path, line: 1, column: 1, path: "" };
  expect(await only()).toEqual([{ ...whole, message: "cannot be read: ENOENT" }]);
  await writeFile(path, Buffer.from("node: \xff", "latin1"));
  expect(await only()).toEqual([{ ...whole, message: "the file is not UTF-8" }]);
  await writeFile(path, Buffer.alloc(50 * 1024 * 1024, "a: b\n"));
  expect(await only()).toEqual([{ ...whole, message: "the file is larger than 96 KiB" }]);
  await writeFile(path, SMALL.padEnd(SIZE_LIMIT_BYTES, "#"));
  expect(await only()).toBe("ok");
});

test("check prints every problem with its place, or OK and what the config says", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "node.yaml");
  const run = async (text: string): Promise<readonly [code: number, lines: readonly string[]]> => {
    await writeFile(path, text);
    const lines: string[] = [];
    return [await check(path, (line) => lines.push(line)), lines];
  };
  expect(await run("nod: {}\ndicom: 3\n")).toEqual([
    1,
    [
      `${path}:1:1: node: is missing: the settings aeTitle, dataDir, reserve, sync, workers, stopWithin`,
      `${path}:1:1: nod: unknown key "nod"; did you mean node?`,
      `${path}:2:8: dicom: found 3, allowed: the settings listen, tls, callers, commitment, acceptDeflated, limits, timeouts`,
    ],
  ]);
  expect(
    await run(`${SMALL}
destinations: { pacs: { aeTitle: PACS, host: localhost, port: 104 } }
models: { bone: { ${MODEL} } }
rules: [{ name: all, when: "true", models: [bone], sendTo: [pacs] }]
`),
  ).toEqual([
    0,
    [
      `${path}: OK`,
      "  listens       ISOCENTER on 127.0.0.1:11112, for * from 127.0.0.1",
      "  model         bone 1: http://a/b",
      "  destination   pacs: PACS@localhost:104",
      "  rule          all: bone → pacs",
    ],
  ]);
});

test("what a model answers is one of four kinds, and says how it is to be read", () => {
  const config = configOf(
    parseConfig(
      `${SMALL}models:
  a: { ${MODEL}, response: { as: { masks: { files: { 1: "a.nii.gz" } } }, grid: nearest } }
  b: { ${MODEL}, response: { as: { probabilities: {} }, format: { layout: NCZYX } } }
  c: { ${MODEL}, response: { as: { packedBits: {} }, format: { raw: uint8 } } }`,
      "node.yaml",
    ),
  );
  const responses = ["a", "b", "c"].map((name) => config.models.get(name)?.response);
  expect(responses).toMatchObject([
    {
      as: { masks: { background: "none", others: "refuse", files: new Map([[1, "a.nii.gz"]]) } },
      grid: "nearest",
    },
    {
      as: {
        probabilities: {
          reduce: "argmax",
          threshold: 0.5,
          background: "first",
          activation: "none",
          keep: false,
        },
      },
      format: { layout: "NCZYX" },
      grid: "exact",
    },
    { as: { packedBits: { order: "msb" } }, format: { raw: "uint8", byteOrder: "little" } },
  ]);
});

test("masks in files are named as the model of a label preset names them", () => {
  const rest =
    "segments: { preset: totalsegmentator-total }, response: { as: { masks: { files: totalsegmentator-total } } }";
  const text = `${SMALL}models: { a: { url: "http://a/b", request: { format: nifti }, ${rest} } }`;
  const { as } = configOf(parseConfig(text, "node.yaml")).models.get("a")!.response;
  const { files } = (as as { masks: { files: ReadonlyMap<number, string> } }).masks;
  expect(files.size).toBe(117);
  expect([files.get(2), files.get(24), files.get(92)]).toEqual([
    "kidney_right",
    "Right kidney cyst",
    "rib_left_1",
  ]);
});

test.each([
  ["as: mask", '"mask", allowed: labelmap, or one of { masks }'],
  ["as: { masks: {}, probabilities: {} }", 'unknown key "probabilities"; allowed: masks'],
  ["as: { masks: { files: { 2: b } } }", "there is no segment 2"],
  ["as: { probabilities: { threshold: 1.5 } }", "a number from 0 to 1"],
  ["format: { layout: ZYY }", "X, Y, Z, and as need be C and N"],
  ["format: { raw: int128 }", "uint8 or int8"],
  ["grid: roughly", "exact or placed or nearest"],
])("an answer of { %s } is no answer", (response, reason) => {
  const problems = problemsOf(`${SMALL}models: { a: { ${MODEL}, response: { ${response} } } }`);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(reason);
});
