/** Our SCU against other people's receivers: storescp and dcmjs-dimse's server; and against our own SCP. */
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import type { AddressInfo, Server } from "node:net";
import { basename, join } from "node:path";
import dimse from "dcmjs-dimse";
import { expect, test } from "vitest";
import { associate, type RequestorAssociation } from "../../src/association/scu.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { dataFiles, dataPath, testWithData } from "../support/data.ts";
import { startStorescp, testWithDcmtk } from "../support/dcmtk.ts";
import { tempFolder } from "../support/temp.ts";
import { aeTitle, Keeper, startScp } from "./keeper.ts";
import { type Part10File, pieces, readPart10File } from "./part10.ts";

dimse.log.setLevel("silent", false);

const interop = testWithDcmtk === test && testWithData() === test ? test : test.skip;

function call(port: number, called: string, files: readonly Part10File[]): Promise<RequestorAssociation> {
  return associate(
    { aeTitle: aeTitle(called), host: "127.0.0.1", port },
    {
      callingAeTitle: aeTitle("ISOCENTER"),
      contexts: [
        {
          abstractSyntax: SOP_CLASS.VERIFICATION,
          transferSyntaxes: [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN],
        },
        ...files.map((file) => ({
          abstractSyntax: file.sopClassUid,
          transferSyntaxes: [file.transferSyntaxUid],
        })),
      ],
      connectTimeoutMs: 10_000,
      answerTimeoutMs: 10_000,
    },
  );
}

async function store(association: RequestorAssociation, file: Part10File): Promise<number> {
  return (await association.store({ ...file, dataSet: pieces(file.dataSet) })).status;
}

// storescp does not take the two of process 10 and 14, and aborts at the one whose data set has an odd length.
const NOT_FOR_STORESCP = /JPEGProcess10_12|JPEGProcess14Transfer|Deflated/;
const files = dataFiles("transfer-syntax", "ct-one-image-all-syntaxes").filter(
  (path) => !NOT_FOR_STORESCP.test(path),
);

for (const path of files) {
  interop(`storescp keeps ${basename(path)} bit for bit`, async () => {
    const file = await readPart10File(path);
    await using folder = await tempFolder();
    {
      await using storescp = await startStorescp(["+B", "+xa", "-od", folder.path]);
      await using association = await call(storescp.port, "STORESCP", [file]);
      expect(await association.echo()).toBe(0);
      expect(await store(association, file)).toBe(0);
    }
    const [name = ""] = await readdir(folder.path);
    const kept = await readPart10File(join(folder.path, name));
    expect(kept.transferSyntaxUid).toBe(file.transferSyntaxUid);
    expect(kept.dataSet.equals(file.dataSet)).toBe(true);
  });
}

interop("a peer with PDUs of 4 KiB gets a series over one association", async () => {
  const series = await Promise.all(dataFiles("series", "mr-t1-siemens").slice(0, 10).map(readPart10File));
  await using folder = await tempFolder();
  {
    await using storescp = await startStorescp(["+B", "-pdu", "4096", "-od", folder.path]);
    await using association = await call(storescp.port, "STORESCP", series.slice(0, 1));
    for (const file of series) expect(await store(association, file)).toBe(0);
  }
  const kept = await Promise.all(
    (await readdir(folder.path)).map((name) => readPart10File(join(folder.path, name))),
  );
  const byUid = new Map(kept.map((file) => [file.sopInstanceUid, file.dataSet]));
  expect(series.every(({ sopInstanceUid, dataSet }) => byUid.get(sopInstanceUid)?.equals(dataSet))).toBe(
    true,
  );
});

interop("what storescp takes uncompressed only is not sent compressed", async () => {
  const file = await readPart10File(dataPath("transfer-syntax", "CT0012.not_fragmented_bot_rle.dcm"));
  await using folder = await tempFolder();
  await using storescp = await startStorescp(["-od", folder.path]);
  await using association = await call(storescp.port, "STORESCP", [file]);
  expect(association.accepted(file.sopClassUid, file.transferSyntaxUid)).toBe(false);
  await expect(store(association, file)).rejects.toMatchObject({ code: "CONTEXT_REFUSED" });
  expect(await association.echo()).toBe(0);
});

testWithDcmtk("a storescp that refuses every association is refused for good", async () => {
  await using folder = await tempFolder();
  await using storescp = await startStorescp(["--refuse", "-od", folder.path]);
  await expect(call(storescp.port, "STORESCP", [])).rejects.toMatchObject({
    code: "ASSOCIATION_REJECTED_PERMANENT",
  });
});

interop("a storescp that aborts within an instance leaves it unanswered", async () => {
  const file = await readPart10File(dataPath("series", "ct-skull-philips", "I100"));
  await using folder = await tempFolder();
  await using storescp = await startStorescp(["--abort-during", "-od", folder.path]);
  await using association = await call(storescp.port, "STORESCP", [file]);
  await expect(store(association, file)).rejects.toMatchObject({ code: "STORE_UNANSWERED" });
});

const others = [
  ["transfer-syntax", "HTJ2KLossless_08_RGB.dcm"],
  ...dataFiles("transfer-syntax", "ct-one-image-all-syntaxes")
    .filter((path) => /JPEGProcess14Transfer|Deflated/.test(path))
    .map((path) => ["transfer-syntax", "ct-one-image-all-syntaxes", basename(path)]),
];

testWithData().each(others)("from our SCU to our SCP %s %s %s goes bit for bit", async (...name) => {
  const file = await readPart10File(dataPath(...name));
  const keeper = new Keeper();
  await using scp = await startScp(keeper, { acceptDeflated: true });
  await using association = await call(scp.port, "ISOCENTER", [file]);
  expect(await store(association, file)).toBe(0);
  const { sopInstanceUid, transferSyntaxUid } = file;
  expect(keeper.kept[0]?.request).toMatchObject({ sopInstanceUid, transferSyntaxUid });
  expect(keeper.dataSet(0).equals(file.dataSet)).toBe(true);
});

interface Taken {
  readonly sopInstanceUid: string | undefined;
  readonly syntax: string | undefined;
}

/** dcmjs-dimse's server, which takes everything and answers with this status. */
async function startDcmjs(
  status: number,
  taken: Taken[],
): Promise<AsyncDisposable & { readonly port: number }> {
  const { Accept } = dimse.constants.PresentationContextResult;
  class TakeAll extends dimse.Scp {
    override associationRequested(association: InstanceType<typeof dimse.association.Association>): void {
      for (const { context } of association.getPresentationContexts()) {
        const [first] = [...context.getTransferSyntaxUids()];
        if (first) context.setResult(Accept, first);
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

    override cStoreRequest(
      request: InstanceType<typeof dimse.requests.CStoreRequest>,
      callback: (response: InstanceType<typeof dimse.responses.CStoreResponse>) => void,
    ): void {
      const dataSet = request.getDataset();
      taken.push({
        sopInstanceUid: dataSet?.getElement("SOPInstanceUID"),
        syntax: dataSet?.getTransferSyntaxUid(),
      });
      const response = dimse.responses.CStoreResponse.fromRequest(request);
      response.setStatus(status);
      callback(response);
    }

    override associationReleaseRequested(): void {
      this.sendAssociationReleaseResponse();
    }
  }
  const server = new dimse.Server(TakeAll);
  server.listen(0);
  const { server: listening } = server as unknown as { readonly server: Server };
  if (!listening.listening) await once(listening, "listening");
  return {
    port: (listening.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

testWithData().each([0x0000, 0xb000, 0xa700])(
  "dcmjs-dimse's server takes an image, and its status %i comes back",
  async (status) => {
    const file = await readPart10File(dataPath("series", "ct-skull-philips", "I100"));
    const taken: Taken[] = [];
    await using server = await startDcmjs(status, taken);
    await using association = await call(server.port, "DCMJS", [file]);
    expect(await association.echo()).toBe(0);
    expect(await store(association, file)).toBe(status);
    expect(taken).toEqual([{ sopInstanceUid: file.sopInstanceUid, syntax: file.transferSyntaxUid }]);
  },
);
