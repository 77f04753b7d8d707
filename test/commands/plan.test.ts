import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { plan } from "../../src/commands/plan.ts";
import { numbersOf } from "../../src/dicom/data-set.ts";
import { tagOf } from "../../src/dicom/dictionary.ts";
import { readPart10Header } from "../../src/dicom/part10.ts";
import { dataPath, testWithData } from "../support/data.ts";
import { writeSeries } from "../support/phantom.ts";
import { tempFolder } from "../support/temp.ts";

const CONFIG = (rule: string): string => `
node: { aeTitle: ISOCENTER, dataDir: data }
dicom: { callers: [{ aeTitle: "*", from: 127.0.0.1 }] }
destinations: { pacs: { aeTitle: PACS, host: localhost, port: 104 } }
models: { bone: { url: http://a/b, request: { format: nifti }, segments: { 1: skull } } }
rules: [{ name: thin, when: '${rule}', models: [bone], sendTo: [pacs], priority: 'Modality == "CT" ? "stat" : "routine"' }]
`;

interface Said {
  readonly code: number;
  readonly lines: readonly string[];
  readonly complaints: readonly string[];
}

async function planned(
  folder: string,
  rule: string,
  more: { readonly against?: string; readonly json?: boolean; readonly calling?: string } = {},
): Promise<Said> {
  await using configs = await tempFolder();
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(configs.path, name), CONFIG(text));
    return join(configs.path, name);
  };
  const lines: string[] = [];
  const complaints: string[] = [];
  const { against, json = false, calling = "ANY" } = more;
  const code = await plan(
    {
      folder,
      config: await write("node.yaml", rule),
      ...(against !== undefined && { against: await write("old.yaml", against) }),
      json,
      calling,
    },
    { print: (line) => lines.push(line), complain: (line) => complaints.push(line) },
  );
  return { code, lines, complaints };
}

test("a series is told its rule, models, destinations, priority and volume", async () => {
  await using folder = await tempFolder();
  await writeSeries(folder.path, { slices: 4, columns: 16, rows: 12 });
  await writeFile(join(folder.path, "notes.txt"), "no image");
  const { code, lines } = await planned(folder.path, 'Modality == "CT"');
  expect(code).toBe(0);
  expect(lines.slice(1, 6)).toEqual([
    expect.stringMatching(/^ {2}holds {7}4 instances of CT/),
    "  rule        thin",
    "  priority    stat",
    "  model       bone → pacs",
    "  volume      16 × 12 × 4 voxels",
  ]);
  expect(lines.at(-2)).toMatch(/^passed over .*notes\.txt: DICOM file: /);
  expect(lines.at(-1)).toBe("1 series, 1 for a model");
});

test("why no rule holds is told, with the attributes that are missing", async () => {
  await using folder = await tempFolder();
  await writeSeries(folder.path, { slices: 3 });
  const { lines } = await planned(folder.path, 'EchoTime > 3 && association.callingAeTitle == "MR1"');
  expect(lines).toContain("  no rule     thin: false (absent: EchoTime)");
  expect(lines.at(-1)).toBe("1 series, 0 for a model");
});

test("rules see the calling AE title that is given", async () => {
  await using folder = await tempFolder();
  await writeSeries(folder.path, { slices: 3 });
  const rule = 'association.callingAeTitle == "CT1"';
  expect((await planned(folder.path, rule, { calling: "CT1" })).lines).toContain("  rule        thin");
  expect((await planned(folder.path, rule)).lines).toContain("  no rule     thin: false");
});

test("against another config only what changes is told", async () => {
  await using folder = await tempFolder();
  await writeSeries(folder.path, { slices: 3 });
  const same = await planned(folder.path, "true", { against: "1 < 2" });
  expect(same.lines.at(-1)).toBe("1 series, 1 for a model");
  const other = await planned(folder.path, "true", { against: "false" });
  expect(other.lines).toContain("  until now");
  expect(other.lines).toContain("    no rule     thin: false");
  expect(other.lines.at(-1)).toBe("1 series, 1 for a model, 1 decided otherwise than until now");
});

test("a stack with a hole would form no volume, and the plan says so", async () => {
  await using folder = await tempFolder();
  const files = await writeSeries(folder.path, { slices: 6 });
  const heights = await Promise.all(
    files.map(async ({ path }) => {
      const { dataSet } = await readPart10Header(path);
      return { path, mm: numbersOf(dataSet, tagOf("ImagePositionPatient"))[2]! };
    }),
  );
  heights.sort((a, b) => a.mm - b.mm);
  await writeFile(heights[2]!.path, "gone");
  const { lines } = await planned(folder.path, "true");
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}volume {6}none: gap, 1 missing/));
});

test("a config with faults and a folder that is not there are told, each with exit code 1", async () => {
  await using folder = await tempFolder();
  const wrong = await planned(folder.path, "Modalty == 1");
  expect(wrong.code).toBe(1);
  expect(wrong.complaints[0]).toMatch(/node\.yaml:6:\d+: .*Modalty/);
  const none = await planned(join(folder.path, "none"), "true");
  expect(none.code).toBe(1);
  expect(none.complaints[0]).toMatch(/none: cannot be read/);
});

testWithData()(
  "of the real files only stacks of scanner images are for a model, each with its reason",
  async () => {
    const { lines } = await planned(dataPath(), "true", { json: true });
    const { series } = JSON.parse(lines.join("")) as {
      readonly series: readonly {
        readonly kind: string;
        readonly why: readonly string[];
        readonly modality: string;
        readonly volume?: string;
      }[];
    };
    const keptOut = (reason: string): number => series.filter(({ why }) => why.includes(reason)).length;
    expect(keptOut("localizer")).toBe(1);
    expect(keptOut("structured-report")).toBeGreaterThanOrEqual(2);
    expect(keptOut("segmentation")).toBeGreaterThanOrEqual(6);
    expect(keptOut("radiotherapy")).toBeGreaterThanOrEqual(2);
    expect(keptOut("secondary-capture")).toBeGreaterThanOrEqual(2);
    const assigned = series.filter(({ kind }) => kind === "assigned");
    expect(assigned.every(({ volume }) => volume !== undefined)).toBe(true);
    expect(assigned.map(({ volume }) => volume)).toEqual(
      expect.arrayContaining(["512 × 512 × 30 voxels", "512 × 512 × 34 voxels", "256 × 256 × 35 voxels"]),
    );
  },
);
