/** The conformance statement, held against what the node does on the wire. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { conformance } from "../../src/commands/conformance.ts";
import { Keeper, startScp } from "../association/keeper.ts";
import { associateRq, CT, EXPLICIT, IMPLICIT, type RawContext, RawPeer } from "../support/raw-peer.ts";
import { tempFolder } from "../support/temp.ts";

async function printed(config?: string): Promise<readonly string[]> {
  const lines: string[] = [];
  expect(await conformance(config, (line) => lines.push(line))).toBe(0);
  return lines;
}

/** Rows of the table below a heading, as cells. */
function rows(lines: readonly string[], heading: string): readonly (readonly string[])[] {
  const section = lines.slice(lines.indexOf(`## ${heading}`) + 1);
  const end = section.findIndex((line) => line.startsWith("## "));
  const table = section.slice(0, end < 0 ? undefined : end).filter((line) => line.startsWith("| "));
  return table.slice(2).map((line) => line.slice(2, -2).split(" | "));
}

/** Result by context id of one association request. */
async function results(port: number, contexts: readonly RawContext[]): Promise<ReadonlyMap<number, number>> {
  const peer = await RawPeer.connect(port);
  peer.send(associateRq({ contexts }));
  const body = await peer.expect(2);
  const found = new Map<number, number>();
  for (let at = 68; at < body.length; at += 4 + body.readUInt16BE(at + 2)) {
    if (body[at] === 0x21) found.set(body.readUInt8(at + 4), body.readUInt8(at + 6));
  }
  peer.destroy();
  return found;
}

test("each transfer syntax that is stated is taken, and no other", async () => {
  const stated = rows(await printed(), "Transfer syntaxes received").map(([, uid = ""]) => uid);
  expect(stated).toHaveLength(16);
  const others = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.110", "1.2.3"];
  await using scp = await startScp(new Keeper());
  const contexts = [...stated, ...others].map((uid, at) => ({
    id: 2 * at + 1,
    abstractSyntax: CT,
    transferSyntaxes: [uid],
  }));
  const found = [...(await results(scp.port, contexts)).values()];
  expect(found).toEqual([...stated.map(() => 0), ...others.map(() => 4)]);
});

test("each SOP class that is stated is taken", async () => {
  const stated = rows(await printed(), "Storage SOP Classes received").map(([, uid = ""]) => uid);
  expect(stated.length).toBeGreaterThan(50);
  expect(stated).toContain(CT);
  await using scp = await startScp(new Keeper());
  const contexts = stated.map((uid, at) => ({
    id: 2 * at + 1,
    abstractSyntax: uid,
    transferSyntaxes: [EXPLICIT],
  }));
  expect(new Set((await results(scp.port, contexts)).values())).toEqual(new Set([0]));
});

test("the syntaxes of last resort are taken only if nothing else is proposed", async () => {
  const table = rows(await printed(), "Transfer syntaxes received");
  const last = table.filter(([, , taken]) => taken !== "yes").map(([, uid = ""]) => uid);
  expect(last[0]).toBe(IMPLICIT);
  await using scp = await startScp(new Keeper());
  for (const uid of last) {
    const peer = await RawPeer.connect(scp.port);
    peer.send(associateRq({ contexts: [{ id: 1, abstractSyntax: CT, transferSyntaxes: [uid, EXPLICIT] }] }));
    expect((await peer.expect(2)).includes(Buffer.from(`\x40\0\0\x13${EXPLICIT}`, "latin1"))).toBe(true);
    peer.destroy();
  }
});

test("limits, roles and TLS are those of the config", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "node.yaml");
  await writeFile(
    path,
    `
node: { aeTitle: AI_NODE, dataDir: data }
dicom:
  callers: [{ aeTitle: "*", from: 127.0.0.1 }]
  acceptDeflated: true
  limits: { associations: 7 }
  tls: { host: 10.0.0.9, port: 2763, cert: a, key: b, ca: c }
  commitment: [{ aeTitle: CT1, host: ct1, port: 104 }]
destinations:
  pacs: { aeTitle: PACS, host: pacs, port: 104, storageCommitment: true, tls: { ca: d } }
`,
  );
  const lines = await printed(path);
  expect(lines[0]).toBe("# DICOM conformance statement: Isocenter, AE title AI_NODE");
  expect(lines).toEqual(
    expect.arrayContaining([
      "| Storage Commitment Push Model | 1.2.840.10008.1.20.1 | yes | yes |",
      "| Associations at a time | 7 | rejected, 2/3/2 |",
      "| Deflated Explicit VR Little Endian | 1.2.840.10008.1.2.1.99 | if nothing else is proposed |",
      "| A700H to A7FFH | tried again |",
      "- As acceptor: 10.0.0.9:2763, certificates of callers required",
      "- As requestor: pacs",
      "- TLSv1.3: TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256",
    ]),
  );
});

test("a config with problems is told so", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "node.yaml");
  await writeFile(path, "node: 3\n");
  const lines: string[] = [];
  expect(await conformance(path, (line) => lines.push(line))).toBe(1);
  expect(lines[0]).toContain(`${path}:1`);
});
