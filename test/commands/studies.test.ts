// The commands as an operator types them: on a node that runs, and on the folder of one that does not.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startModelDouble } from "../support/model-double.ts";
import { startPacs } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { configText, Journal, ONE_SEGMENT, RAW_NIFTI, type RigOptions, startRig } from "../support/rig.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function isocenter(...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, ["src/main.ts", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  const [code] = (await once(child, "close")) as [number];
  return { code, out, err };
}

interface Receipt {
  readonly study: string;
  readonly state: string;
  readonly series: readonly [
    {
      readonly images: object;
      readonly instances: readonly { readonly sha256: string }[];
      readonly runs: readonly {
        readonly state: string;
        readonly results: readonly { deliveries: object[] }[];
      }[];
    },
  ];
}

test("studies, show, receipt, retry and discard, while the node runs and after it", async () => {
  await using folder = await tempFolder();
  let refuse = true;
  await using pacs = await startPacs(folder.path, { answer: () => (refuse ? 0xa900 : 0) });
  await using model = await startModelDouble(({ body }) => threshold(body, 0));
  const models = { bone: { url: model.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` } };
  const options: RigOptions = { pacsPort: pacs.port, models };
  const config = join(folder.path, "node.yaml");
  await writeFile(config, configText(folder.path, options));
  const files = await writeSeries(join(folder.path, "source"), { slices: 3, columns: 16, rows: 12 });
  const paths = files.map(({ path }) => path);
  let study = "";
  const run = (command: string, ...rest: readonly string[]): Promise<Ran> =>
    isocenter(command, ...rest, "-c", config);
  const receipt = async (): Promise<Receipt> =>
    JSON.parse((await run("receipt", study, "--json")).out) as Receipt;
  {
    const journal = new Journal();
    await using node = await startRig(folder.path, journal, options);
    await send(paths, node.port);
    await send(paths.slice(0, 1), node.port);
    await journal.said("delivery.held");
    study = journal.of("series.complete")[0]!.studyUid!;

    const listed = await run("studies");
    expect(listed).toMatchObject({ code: 0, err: "" });
    expect(listed.out).toContain(`${study}  attention  1 series  3 images  runs: 1 done  deliveries: 1 held`);
    const shown = await run("show", files[0]!.sopInstanceUid);
    expect(shown.out).toContain(`study ${study}`);
    expect(shown.out).toContain("3 received, 3 used, 1 duplicates");
    expect(shown.out).toContain("to pacs: held, answered A900H, 1 attempts (refused by the destination)");

    refuse = false;
    const retried = await run("retry", study);
    expect(retried).toEqual({
      code: 0,
      err: "",
      out: `${study}: due again: 0 series, 0 runs, 1 deliveries, 0 jobs\n`,
    });
    await journal.said("delivery.done");
    const [one] = (await receipt()).series;
    expect(one.images).toEqual({ received: 3, duplicates: 1, used: 3, unused: {} });
    expect(one.instances).toHaveLength(3);
    expect(one.instances[0]?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(one.runs[0]?.results[0]?.deliveries).toEqual([
      expect.objectContaining({ destination: "pacs", state: "delivered", status: "0000", attempts: 2 }),
    ]);
  }
  const discarded = await run("discard", study, "--json");
  expect(JSON.parse(discarded.out)).toEqual({
    study,
    kind: "discard",
    series: 0,
    runs: 0,
    deliveries: 0,
    jobs: 0,
  });
  expect(await receipt()).toMatchObject({ study, state: "discarded" });
  expect(await run("show", "1.2.3")).toEqual({
    code: 1,
    out: "",
    err: "1.2.3 is no study, series, image or result that this node knows.\n",
  });
}, 120_000);

test("a folder without a ledger, and a config that is not there, are told in a sentence", async () => {
  await using folder = await tempFolder();
  const config = join(folder.path, "node.yaml");
  expect((await isocenter("studies", "-c", config)).err).toContain("node.yaml");
  await writeFile(config, configText(folder.path, { pacsPort: 1, models: {} }));
  const ran = await isocenter("studies", "-c", config);
  expect(ran.code).toBe(1);
  expect(ran.err).toMatch(/^Ledger: .*data folder .*\n$/);
});
