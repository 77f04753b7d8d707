/**
 * Other people's senders against our SCP: DCMTK's tools and dcmjs-dimse's client, real files.
 *
 * DCMTK writes a data set anew before it sends it. So what must have arrived is what its own receiver keeps of the
 * same sending, bit for bit (storescp +B).
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import dimse from "dcmjs-dimse";
import { expect, test } from "vitest";
import { dataFiles, dataPath, testWithData } from "../support/data.ts";
import { run, startStorescp, testWithDcmtk } from "../support/dcmtk.ts";
import { tempFolder } from "../support/temp.ts";
import { Keeper, startScp } from "./keeper.ts";
import { readPart10File } from "./part10.ts";

dimse.log.setLevel("silent", false);

const hasFiles = testWithData() === test;
const interop = testWithDcmtk === test && hasFiles ? test : test.skip;

async function sent(
  tool: string,
  args: readonly string[],
  port: number,
  files: readonly string[],
): Promise<void> {
  const outcome = await run(tool, [...args, "-aec", "ISOCENTER", "127.0.0.1", String(port), ...files]);
  expect(outcome).toEqual({ code: 0, output: expect.not.stringMatching(/^[EF]:/m) });
}

/** What DCMTK's own receiver keeps of a sending, by SOP Instance UID. */
async function reference(
  tool: string,
  args: readonly string[],
  files: readonly string[],
): Promise<ReadonlyMap<string, Buffer>> {
  await using folder = await tempFolder();
  {
    await using storescp = await startStorescp(["+B", "+xa", "-od", folder.path]);
    await sent(tool, args, storescp.port, files);
  }
  const kept = new Map<string, Buffer>();
  for (const name of await readdir(folder.path)) {
    const { sopInstanceUid, dataSet } = await readPart10File(join(folder.path, name));
    kept.set(sopInstanceUid, dataSet);
  }
  return kept;
}

async function compare(
  tool: string,
  args: readonly string[],
  files: readonly string[],
  syntax?: string,
): Promise<void> {
  const expected = await reference(tool, args, files);
  const keeper = new Keeper();
  await using scp = await startScp(keeper, { acceptDeflated: true });
  await sent(tool, args, scp.port, files);
  expect(keeper.kept).toHaveLength(expected.size);
  for (const [at, { request, state }] of keeper.kept.entries()) {
    expect(state).toBe("finished");
    if (syntax !== undefined) expect(request.transferSyntaxUid).toBe(syntax);
    expect(keeper.dataSet(at).equals(expected.get(request.sopInstanceUid)!)).toBe(true);
  }
}

testWithDcmtk("echoscu is answered", async () => {
  await using scp = await startScp(new Keeper());
  await sent("echoscu", [], scp.port, []);
  await sent("echoscu", ["--repeat", "5", "--propose-ts", "3", "--propose-pc", "100"], scp.port, []);
});

testWithDcmtk("echoscu sees why it was refused", async () => {
  await using scp = await startScp(new Keeper());
  const { code, output } = await run("echoscu", ["-aec", "OTHER", "127.0.0.1", String(scp.port)]);
  expect(code).not.toBe(0);
  expect(output).toContain("Called AE Title Not Recognized");
});

const SYNTAXES: readonly (readonly [option: string, uid: string])[] = [
  ["-xe", "1.2.840.10008.1.2.1"],
  ["-xi", "1.2.840.10008.1.2"],
  ["-xb", "1.2.840.10008.1.2.2"],
  ["-xd", "1.2.840.10008.1.2.1.99"],
  ["-xr", "1.2.840.10008.1.2.5"],
  ["-xy", "1.2.840.10008.1.2.4.50"],
  ["-xx", "1.2.840.10008.1.2.4.51"],
  ["-xs", "1.2.840.10008.1.2.4.70"],
  ["-xt", "1.2.840.10008.1.2.4.80"],
  ["-xu", "1.2.840.10008.1.2.4.81"],
  ["-xv", "1.2.840.10008.1.2.4.90"],
  ["-xw", "1.2.840.10008.1.2.4.91"],
];

function ctIn(uid: string): string {
  const found = dataFiles("transfer-syntax", "ct-one-image-all-syntaxes").find((path) =>
    path.endsWith(`_${uid}.dcm`),
  );
  if (!found) throw new Error(`no file in ${uid}`);
  return found;
}

// -xb is the one whose syntax the node would rather not take: -R lets storescu propose the others, too.
for (const [option, uid] of SYNTAXES) {
  interop(`storescu ${option} sends ${uid}, and it arrives bit for bit`, async () => {
    await compare("storescu", ["-R", option], [ctIn(uid)], option === "-xb" ? undefined : uid);
  });
}

for (const uid of ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.1"]) {
  interop(`dcmsend sends ${uid} as it is, and it arrives bit for bit`, async () => {
    await compare("dcmsend", ["-dn"], [ctIn(uid)], uid);
  });
}

interop(
  "a series, its scout and its secondary captures come over one association by dcmsend, each bit for bit",
  async () => {
    const files = ["ct-skull-philips", "ct-skull-philips-scout", "ct-skull-philips-summary"].flatMap((name) =>
      dataFiles("series", name),
    );
    await compare("dcmsend", [], files);
  },
);

interop("multi-frame, SEG, SR and RTSTRUCT objects come bit for bit", async () => {
  const files = [
    ...dataFiles("multiframe"),
    ...dataFiles("series", "cbct-head-varian-obi").filter((path) => path.includes("RS.")),
  ];
  await compare("dcmsend", [], files);
});

interop("four senders at once get each instance through whole", async () => {
  const files = dataFiles("series", "mr-t1-siemens");
  const expected = await reference("storescu", [], files);
  const keeper = new Keeper();
  await using scp = await startScp(keeper);
  await Promise.all([1, 2, 3, 4].map(() => sent("storescu", [], scp.port, files)));
  expect(keeper.kept).toHaveLength(4 * files.length);
  for (const [at, { request }] of keeper.kept.entries()) {
    expect(keeper.dataSet(at).equals(expected.get(request.sopInstanceUid)!)).toBe(true);
  }
});

interop("deflated is refused unless configured, and dcmsend says so", async () => {
  await using scp = await startScp(new Keeper());
  const args = ["-dn", "-aec", "ISOCENTER", "127.0.0.1", String(scp.port)];
  const { output } = await run("dcmsend", [...args, ctIn("1.2.840.10008.1.2.1.99")]);
  expect(output).toContain("No Acceptable Presentation Contexts");
});

/** Sends by dcmjs-dimse and returns the statuses of the responses. */
async function byDcmjs(
  port: number,
  requests: readonly InstanceType<typeof dimse.requests.Request>[],
): Promise<readonly (number | undefined)[]> {
  const client = new dimse.Client();
  const statuses: (number | undefined)[] = [];
  for (const request of requests) {
    request.on("response", (response: { getStatus(): number | undefined }) =>
      statuses.push(response.getStatus()),
    );
    client.addRequest(request);
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.on("closed", () => resolve());
  client.on("networkError", reject);
  client.send("127.0.0.1", port, "DCMJS", "ISOCENTER");
  await promise;
  return statuses;
}

test("dcmjs-dimse's C-ECHO is answered", async () => {
  await using scp = await startScp(new Keeper());
  expect(await byDcmjs(scp.port, [new dimse.requests.CEchoRequest()])).toEqual([0]);
});

testWithData()("dcmjs-dimse sends an image; its pixels arrive unchanged", async () => {
  const path = dataPath("multiframe", "CT0012.explicit_little_endian.dcm");
  const keeper = new Keeper();
  await using scp = await startScp(keeper);
  expect(await byDcmjs(scp.port, [new dimse.requests.CStoreRequest(path)])).toEqual([0]);
  const { dataSet, sopInstanceUid } = await readPart10File(path);
  const pixels = dataSet.subarray(dataSet.lastIndexOf(Buffer.from("e07f10004f570000", "hex")) + 12);
  expect(pixels).toHaveLength(2 * 512 * 512 * 2);
  expect(keeper.kept[0]?.request.sopInstanceUid).toBe(sopInstanceUid);
  expect(keeper.dataSet(0).includes(pixels)).toBe(true);
});
