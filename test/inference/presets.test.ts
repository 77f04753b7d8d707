/** Each preset against a double of its server, with nothing but what a user has to write. */
import { readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { type ModelDouble, type Script, startModelDouble } from "../support/model-double.ts";
import * as doubles from "../support/server-doubles.ts";
import { labelled } from "../volume/formats/fixtures.ts";
import { type Asked, askConfigured, configOf } from "./configured.ts";
import { goodAnswer } from "./support.ts";

const packed = gzipSync(goodAnswer);

afterEach(() => {
  for (const name of [
    "TOTALSEGMENTATOR_KEY",
    "TORCHSERVE_KEY",
    "AZURE_ML_KEY",
    "HF_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
  ])
    delete process.env[name];
});

/** @param settings  lines of the model's settings; ORIGIN is where the double is */
async function ask(
  script: Script,
  settings: string,
): Promise<Asked & { readonly requests: ModelDouble["requests"] }> {
  await using server = await startModelDouble(script);
  const text = settings.trim().replaceAll("ORIGIN", server.origin).replaceAll(/^ */gm, "    ");
  return { ...(await askConfigured(configOf(text))), requests: server.requests };
}

function expectLabels({ answer }: Asked): void {
  expect(answer.findings.layers).toEqual([labelled]);
}

const tested = new Set<string>();

/** A test of a preset; that each has one is tested at the end. */
function preset(name: string, what: string, run: (preset: string) => Promise<void>): void {
  tested.add(name);
  test(`${name}: ${what}`, () => run(`preset: ${name}`));
}

preset("kserve-v2", "tensors out and back, with one of two outputs", async (preset) => {
  const asked = await ask(
    doubles.triton(labelled, { busy: 1 }),
    `${preset}
    url: ORIGIN/v2/models/teeth/infer
    request: { input: IMAGE, spacing: SPACING }
    response: { output: SEG }`,
  );
  expectLabels(asked);
  expect(asked.waits).toHaveLength(1);
});

preset("torchserve", "the file as body, and a key that was renewed is read anew", async (preset) => {
  process.env["TORCHSERVE_KEY"] = "first";
  let refusals = 0;
  const double = doubles.torchServe(packed, {
    key: () => {
      refusals += 1;
      process.env["TORCHSERVE_KEY"] = "second"; // rotated since the node last read it
      return "second";
    },
  });
  const asked = await ask(
    double,
    `${preset}\nurl: ORIGIN/predictions/sinus\nauth: { bearer: "\${secret:TORCHSERVE_KEY}" }`,
  );
  expectLabels(asked);
  expect(refusals).toBe(2);
  expect(asked.requests.map(({ headers }) => headers.authorization)).toEqual([
    "Bearer first",
    "Bearer second",
  ]);
  expect(asked.answer.timings.attempts).toBe(1);
  expect(JSON.stringify(asked.lines)).not.toMatch(/first|second/);
});

preset("bentoml", "a form with the argument's own name; 429 is busy", async (preset) => {
  const asked = await ask(doubles.bentoml(packed, { busy: 2 }), `${preset}\nurl: ORIGIN/segment`);
  expectLabels(asked);
  expect(asked.answer.timings.attempts).toBe(3);
});

preset("bentoml-task", "submitted, asked until it is done, fetched", async (preset) => {
  const double = doubles.bentomlTask(packed, ["pending", "in_progress", "success"]);
  const asked = await ask(double, `${preset}\nurl: ORIGIN/segment`);
  expectLabels(asked);
  expect(asked.requests.map(({ path }) => path.replace(/=.*/, ""))).toEqual([
    "/segment/submit",
    ...Array.from({ length: 3 }, () => "/segment/status?task_id"),
    "/segment/get?task_id",
  ]);
});

test("bentoml-task: a task that failed is a failure of the model, not a result", async () => {
  const double = doubles.bentomlTask(packed, ["in_progress", "failure"]);
  await expect(ask(double, "preset: bentoml-task\nurl: ORIGIN/segment\nattempts: 1")).rejects.toMatchObject({
    code: "MODEL_FAILED",
    message: "Model tested: its job is failure",
  });
});

test("bentoml-task: a task that nobody waits for any more is cancelled", async () => {
  const double = doubles.bentomlTask(packed, ["in_progress"]);
  const asked = ask(double, "preset: bentoml-task\nurl: ORIGIN/segment\ndeadline: 1s\nattempts: 1");
  await expect(asked).rejects.toMatchObject({ code: "MODEL_TIMED_OUT" });
  expect(double.canceled).toHaveLength(1);
});

preset("ray-serve", "the file as body; it says when to come back", async (preset) => {
  const asked = await ask(doubles.rayServe(packed, { busy: 1 }), `${preset}\nurl: ORIGIN/seg`);
  expectLabels(asked);
  expect(asked.waits).toEqual([7000]);
});

preset("fastapi-upload", "a form with a file, and a file back", async (preset) => {
  expectLabels(await ask(doubles.fastApi(packed, { busy: 1 }), `${preset}\nurl: ORIGIN/predict`));
});

test("fastapi-upload: another field is a parameter of yours", async () => {
  const asked = ask(
    doubles.fastApi(packed),
    "preset: fastapi-upload\nurl: ORIGIN/predict\nparams: { field: image }",
  );
  await expect(asked).rejects.toThrow(/HTTP 422, request refused: .*Field required/);
});

preset("monai-label", "a form in, a form of label map and measurements out", async (preset) => {
  const asked = await ask(
    doubles.monaiLabel(goodAnswer),
    `${preset}\nurl: ORIGIN/infer/deepedit_seg\nlinger: 0s`,
  );
  expectLabels(asked);
  expect(JSON.parse(asked.answer.measurements ?? "")).toMatchObject({ latencies: { infer: 1.2 } });
});

preset("nim-vista3d", "the volume is fetched from the node, in ranges; a zip comes back", async (preset) => {
  const double = doubles.nimVista3d(goodAnswer);
  const asked = await ask(
    double,
    `${preset}\nurl: ORIGIN/v1/vista3d/inference\nparams: { classes: [mandible, skull] }`,
  );
  expectLabels(asked);
  const { prompts } = JSON.parse(Buffer.from(asked.requests[0]!.body).toString()) as { prompts: unknown };
  expect(prompts).toEqual({ classes: ["mandible", "skull"] });
});

preset(
  "totalsegmentator",
  "a form with a key and the file, a zip of a mask for each structure back",
  async (preset) => {
    process.env["TOTALSEGMENTATOR_KEY"] = "total key";
    const mask = (of: (label: number) => boolean): Uint8Array =>
      gzipSync(goodAnswer.map((byte, at) => (at < 352 ? byte : Number(of(byte)))));
    const double = doubles.totalSegmentator(
      {
        "S1.nii.gz": mask((label) => label < 20),
        "s2.nii.gz": mask((label) => label === 59),
        "spleen.nii.gz": mask((label) => label > 50),
      },
      "total key",
    );
    const asked = await ask(double, `${preset}\nurl: ORIGIN/predict_image`);
    const found = labelled.map((label) => (label < 20 ? 1 : label === 59 ? 2 : 0));
    expect(asked.answer.findings.layers).toEqual([found]);
    expect(JSON.stringify(asked.lines)).not.toContain("total key");
  },
);

test("totalsegmentator: an empty zip is a run that failed, and a wrong key is refused", async () => {
  process.env["TOTALSEGMENTATOR_KEY"] = "total key";
  const settings = "preset: totalsegmentator\nurl: ORIGIN/predict_image\nattempts: 1";
  const empty = ask(doubles.totalSegmentator({}, "total key"), settings);
  await expect(empty).rejects.toMatchObject({ code: "MODEL_ANSWER_INVALID" });
  const other = ask(doubles.totalSegmentator({}, "another"), settings);
  await expect(other).rejects.toThrow("credentials refused");
});

preset("cog", "a prediction under our id that calls back, once or twice", async (preset) => {
  const double = doubles.cog(goodAnswer, { busy: 1, calls: 2 });
  const asked = await ask(double, `${preset}\nurl: ORIGIN`);
  expectLabels(asked);
  const ids = asked.requests.map(({ path }) => path);
  expect(new Set(ids).size).toBe(1); // busy first, then taken: the same prediction
});

test("cog: a prediction that failed says so", async () => {
  const asked = ask(doubles.cog(goodAnswer, { ends: "failed" }), "preset: cog\nurl: ORIGIN\nattempts: 1");
  await expect(asked).rejects.toMatchObject({ code: "MODEL_FAILED" });
});

preset("azure-ml", "base64 in JSON, and JSON in JSON back", async (preset) => {
  process.env["AZURE_ML_KEY"] = "azure key";
  const double = doubles.azureMl(goodAnswer, "azure key", { busy: 1 });
  expectLabels(await ask(double, `${preset}\nurl: ORIGIN/score\nparams: { text: mandible }`));
});

preset("huggingface", "an endpoint that is cold is waited for", async (preset) => {
  process.env["HF_TOKEN"] = "hf token";
  const asked = await ask(doubles.huggingFace(goodAnswer, "hf token", { busy: 5 }), `${preset}\nurl: ORIGIN`);
  expectLabels(asked);
  expect(asked.answer.timings.attempts).toBe(6);
});

const AWS = { accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG" };
const SAGEMAKER = `preset: sagemaker-async
  url: ORIGIN/endpoints/seg/async-invocations
  auth: { sigv4: { region: eu-west-1 } }
  params: { bucket: in-and-out }
  urlMap: { "s3://in-and-out/": "ORIGIN/bucket/" }
  attempts: 1`;

preset("sagemaker-async", "through S3 and back, signed, with nothing left behind", async () => {
  process.env["AWS_ACCESS_KEY_ID"] = AWS.accessKey;
  process.env["AWS_SECRET_ACCESS_KEY"] = AWS.secretKey;
  const double = doubles.sageMaker(goodAnswer, AWS);
  expectLabels(await ask(double, SAGEMAKER));
  expect([...double.objects.keys()]).toEqual([]);
});

test("sagemaker-async: a failure is put down in another place, and seen there", async () => {
  process.env["AWS_ACCESS_KEY_ID"] = AWS.accessKey;
  process.env["AWS_SECRET_ACCESS_KEY"] = AWS.secretKey;
  const double = doubles.sageMaker(goodAnswer, AWS, { fails: true });
  await expect(ask(double, SAGEMAKER)).rejects.toMatchObject({ code: "MODEL_FAILED" });
  expect([...double.objects.keys()]).toEqual([]);
});

test("every preset has its test", () => {
  const names = readdirSync("config/presets/servers").map((name) => name.replace(/\.yaml$/, ""));
  expect([...tested].sort()).toEqual(names.sort());
});
