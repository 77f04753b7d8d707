/** TLS with other people's ends: DCMTK's tools in each of their current profiles, dcmjs-dimse's client and server. */
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import type { AddressInfo, Server } from "node:net";
import dimse from "dcmjs-dimse";
import { expect, onTestFinished } from "vitest";
import { Credentials } from "../../src/association/credentials.ts";
import { associate, type RequestorAssociation } from "../../src/association/scu.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { type Authority, createAuthority, type Pair, testWithOpenssl } from "../support/certificates.ts";
import { dataFiles, hasData } from "../support/data.ts";
import { run, startStorescp, testWithDcmtk } from "../support/dcmtk.ts";
import { tempFolder } from "../support/temp.ts";
import { aeTitle, Keeper, startScp } from "./keeper.ts";
import { type Part10File, pieces, readPart10File } from "./part10.ts";

dimse.log.setLevel("silent", false);

const dcmtk = testWithDcmtk === testWithOpenssl && hasData() ? testWithDcmtk : testWithDcmtk.skip;

/** Non-downgrading BCP 195, BCP 195, extended BCP 195. */
const PROFILES = ["+py", "+px", "+pz"];

function dcmtkTls({ cert, key }: Pair, { ca }: Authority): readonly string[] {
  return ["+tls", key, cert, "+cf", ca];
}

async function call(
  port: number,
  pair: Pair,
  { ca }: Authority,
  files: readonly Part10File[],
): Promise<RequestorAssociation> {
  const credentials = await Credentials.open({ ...pair, ca }, "test", { log: silentLog, clock: systemClock });
  onTestFinished(() => credentials[Symbol.dispose]());
  return associate(
    { aeTitle: aeTitle("PACS"), host: "localhost", port, tls: { credentials } },
    {
      callingAeTitle: aeTitle("ISOCENTER"),
      contexts: [
        {
          abstractSyntax: SOP_CLASS.VERIFICATION,
          transferSyntaxes: [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN],
        },
        ...files.map(({ sopClassUid, transferSyntaxUid }) => ({
          abstractSyntax: sopClassUid,
          transferSyntaxes: [transferSyntaxUid],
        })),
      ],
      connectTimeoutMs: 10_000,
      answerTimeoutMs: 10_000,
    },
  );
}

// dcmsend of DCMTK 3.6.7 speaks no TLS.
dcmtk.each(PROFILES)("storescu %s sends over mutual TLS", async (profile) => {
  await using folder = await tempFolder();
  const authority = await createAuthority(folder.path);
  const files = { ...(await authority.issue("isocenter")), ca: authority.ca };
  const callers = [{ aeTitle: "*" as const, from: "127.0.0.1", certificate: "ct1" }];
  const keeper = new Keeper();
  await using scp = await startScp(keeper, { tls: { files }, callers });
  const series = dataFiles("series", "mr-t1-siemens").slice(0, 3);
  const args = [...dcmtkTls(await authority.issue("ct1"), authority), profile];
  const peer = ["-aec", "ISOCENTER", "127.0.0.1", String(scp.tlsPort)];
  expect(await run("storescu", [...args, ...peer, ...series])).toMatchObject({ code: 0 });
  expect(keeper.kept.map(({ state }) => state)).toEqual(["finished", "finished", "finished"]);
});

dcmtk("echoscu without a certificate, or with one of another authority, is not served", async () => {
  await using folder = await tempFolder();
  const authority = await createAuthority(folder.path);
  const other = await createAuthority(folder.path, "Other CA");
  const files = { ...(await authority.issue("isocenter")), ca: authority.ca };
  await using scp = await startScp(new Keeper(), { tls: { files } });
  const peer = ["-aec", "ISOCENTER", "127.0.0.1", String(scp.tlsPort)];
  const echo = async (...args: readonly string[]) => (await run("echoscu", [...args, ...peer])).code;
  expect(await echo(...dcmtkTls(await authority.issue("ct1"), authority))).toBe(0);
  expect(await echo("+tla", "+cf", authority.ca)).not.toBe(0);
  expect(await echo(...dcmtkTls(await other.issue("ct1"), authority))).not.toBe(0);
  expect(await echo()).not.toBe(0);
});

dcmtk.each(PROFILES)("storescp %s takes what we send over mutual TLS, bit for bit", async (profile) => {
  await using folder = await tempFolder();
  await using received = await tempFolder();
  const authority = await createAuthority(folder.path);
  const pair = await authority.issue("pacs");
  const file = await readPart10File(dataFiles("series", "ct-skull-philips")[0]!);
  {
    const args = [...dcmtkTls(pair, authority), profile, "+B", "+xa", "-od", received.path];
    await using storescp = await startStorescp(args);
    await using association = await call(storescp.port, await authority.issue("isocenter"), authority, [
      file,
    ]);
    expect(await association.echo()).toBe(0);
    expect(await association.store({ ...file, dataSet: pieces(file.dataSet) })).toEqual({ status: 0 });
  }
  const [name = ""] = await readdir(received.path);
  const kept = await readPart10File(`${received.path}/${name}`);
  expect(kept.dataSet.equals(file.dataSet)).toBe(true);
});

testWithOpenssl("dcmjs-dimse's client is served over mutual TLS", async () => {
  await using folder = await tempFolder();
  const authority = await createAuthority(folder.path);
  const files = { ...(await authority.issue("isocenter")), ca: authority.ca };
  await using scp = await startScp(new Keeper(), { tls: { files } });
  const pair = await authority.issue("dcmjs");
  const client = new dimse.Client();
  const request = new dimse.requests.CEchoRequest();
  const status = new Promise((resolve, reject) => {
    request.on("response", (response) => resolve(response.getStatus()));
    client.on("networkError", reject);
  });
  client.addRequest(request);
  client.send("localhost", scp.tlsPort, "DCMJS", "ISOCENTER", {
    securityOptions: {
      key: await readFile(pair.key),
      cert: await readFile(pair.cert),
      ca: await readFile(authority.ca),
      requestCert: true,
      rejectUnauthorized: true,
    },
  });
  expect(await status).toBe(0);
});

testWithOpenssl("dcmjs-dimse's server answers us over mutual TLS", async () => {
  await using folder = await tempFolder();
  const authority = await createAuthority(folder.path);
  class Echo extends dimse.Scp {
    override associationRequested(association: InstanceType<typeof dimse.association.Association>): void {
      for (const { context } of association.getPresentationContexts()) {
        context.setResult(
          dimse.constants.PresentationContextResult.Accept,
          [...context.getTransferSyntaxUids()][0],
        );
      }
      this.sendAssociationAccept();
    }
    override cEchoRequest(
      request: InstanceType<typeof dimse.requests.CEchoRequest>,
      callback: (response: InstanceType<typeof dimse.responses.CEchoResponse>) => void,
    ): void {
      const response = dimse.responses.CEchoResponse.fromRequest(request);
      response.setStatus(0);
      callback(response);
    }
    override associationReleaseRequested(): void {
      this.sendAssociationReleaseResponse();
    }
  }
  const pair = await authority.issue("dcmjs");
  const server = new dimse.Server(Echo);
  server.listen(0, {
    securityOptions: {
      key: await readFile(pair.key),
      cert: await readFile(pair.cert),
      ca: await readFile(authority.ca),
      requestCert: true,
      rejectUnauthorized: true,
    },
  });
  const { server: listening } = server as unknown as { readonly server: Server };
  if (!listening.listening) await once(listening, "listening");
  onTestFinished(() => server.close());
  const { port } = listening.address() as AddressInfo;
  await using association = await call(port, await authority.issue("isocenter"), authority, []);
  expect(await association.echo()).toBe(0);
});
