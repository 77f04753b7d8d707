/** Storage commitment through the whole node: towards a PACS that follows a script, and towards devices. */
import dimse from "dcmjs-dimse";
import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../support/free-port.ts";
import { type Outgoing, type OutgoingOptions, startOutgoing } from "../support/outgoing.ts";
import {
  associateAc,
  associateRq,
  COMMITMENT,
  commandSet,
  commitmentSet,
  ctContext,
  EXPLICIT,
  IMPLICIT,
  pData,
  RawPeer,
  releaseRp,
  scripted,
  statusOf,
  storeRq,
  ui,
  us,
} from "../support/raw-peer.ts";
import {
  type ActionMessage,
  reportOn,
  reportTo,
  type Script,
  type ScriptedPacs,
  startScriptedPacs,
} from "../support/scripted-pacs.ts";
import { tempFolder } from "../support/temp.ts";

dimse.log.setLevel("silent", false);

const SEG = "1.2.840.10008.5.1.4.1.1.66.4";

interface Scene extends AsyncDisposable {
  readonly pacs: ScriptedPacs;
  readonly out: Outgoing;
}

async function scene(
  script: Script,
  options: Omit<OutgoingOptions, "destinations"> & { readonly pacs?: string } = {},
): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const pacs = stack.use(await startScriptedPacs(script));
  const rest = `storageCommitment: true${options.pacs ? `, ${options.pacs}` : ""}`;
  const destinations = { pacs: `port: ${pacs.port}, ${rest}` };
  const out = stack.use(await startOutgoing(folder.path, { ...options, destinations }));
  return { pacs, out, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const states = (out: Outgoing): readonly unknown[] =>
  out.rows("SELECT state FROM commitment ORDER BY created_at, id").map(({ state }) => state);
const deliveries = (out: Outgoing): readonly unknown[] =>
  out.rows("SELECT state FROM delivery ORDER BY id").map(({ state }) => state);

describe("towards a destination", () => {
  test("what was delivered is asked about, and the report on the same association is noted", async () => {
    await using s = await scene({
      action(message) {
        reportOn(message, message.references);
        return 0;
      },
    });
    const [done] = await s.out.journal.said("commitment.done");
    expect(done).toMatchObject({
      callingAeTitle: "PACS",
      transactionUid: s.pacs.asked[0]?.transactionUid,
      count: 1,
    });
    expect(s.pacs.asked.map(({ references }) => references)).toEqual([[[SEG, s.out.uids[0]]]]);
    expect(states(s.out)).toEqual(["done"]);
    expect(s.out.rows("SELECT instances FROM commitment")).toEqual([
      { instances: JSON.stringify([{ sopClassUid: SEG, sopInstanceUid: s.out.uids[0], reason: 0 }]) },
    ]);
    expect(s.pacs.failures).toEqual([]);
  });

  test("the report on an association that the destination opens is noted, and not changed by a later one", async () => {
    await using s = await scene({ action: () => 0 });
    await s.out.journal.said("commitment.asked");
    const [asked] = s.pacs.asked;
    expect(await reportTo(s.out.node.port, asked!, asked!.references)).toBe(0);
    await s.out.journal.said("commitment.done");
    expect(states(s.out)).toEqual(["done"]);
    const failed = [[SEG, s.out.uids[0]!, 0x0112]] as const;
    expect(await reportTo(s.out.node.port, asked!, [], { failed })).toBe(0);
    expect([states(s.out), deliveries(s.out)]).toEqual([["done"], ["delivered"]]);
  });

  test("what we asked survives a restart, and the report after it is noted", async () => {
    await using s = await scene({ action: () => 0 });
    await s.out.journal.said("commitment.asked");
    await s.out.stop();
    expect(states(s.out)).toEqual(["waiting"]);
    const node = await s.out.restart();
    const [asked] = s.pacs.asked;
    expect(await reportTo(node.port, asked!, asked!.references)).toBe(0);
    expect(states(s.out)).toEqual(["done"]);
    expect(s.pacs.asked).toHaveLength(1);
  });

  test("of many results, those that were not committed are sent again and asked about anew; the others are not", async () => {
    const lost = new Set<string>();
    await using s = await scene(
      {
        action(message) {
          const uid = message.references[0]![1];
          const isLost = !lost.has(uid) && /\.(2|4)$/.test(uid);
          if (isLost) lost.add(uid);
          if (isLost) reportOn(message, [], [[SEG, uid, 0x0112]]);
          else reportOn(message, message.references);
          return 0;
        },
      },
      { results: 5 },
    );
    await s.out.journal.said("commitment.done", 5);
    const sent = s.out.uids.map((uid) => s.pacs.stored.filter((one) => one === uid).length);
    expect(sent).toEqual([1, 2, 1, 2, 1]);
    expect(deliveries(s.out)).toEqual(Array(5).fill("delivered"));
    expect(new Set(s.pacs.asked.map(({ transactionUid }) => transactionUid)).size).toBe(7);
    expect(s.out.journal.of("commitment.failed").map(({ reason }) => reason)).toEqual(["0112", "0112"]);
  });

  test.each([0x0119, 0x0122])("what cannot be committed, reason %i, is held", async (reason) => {
    await using s = await scene({
      action(message) {
        reportOn(message, [], [[SEG, message.references[0]![1], reason]]);
        return 0;
      },
    });
    await s.out.journal.said("commitment.failed");
    expect(deliveries(s.out)).toEqual(["held"]);
    expect(s.pacs.stored).toHaveLength(1);
  });

  test("what is never committed is held in the end, not sent for ever", async () => {
    await using s = await scene({
      action(message) {
        reportOn(message, [], [[SEG, message.references[0]![1], 0x0110]]);
        return 0;
      },
    });
    await s.out.journal.said("commitment.failed", 4);
    await expect.poll(() => deliveries(s.out)).toEqual(["held"]);
    expect(s.pacs.stored).toHaveLength(4);
  });

  test("a transaction that the destination has in use already is asked again under another UID", async () => {
    await using s = await scene({
      action(message) {
        const { references } = message;
        if (message.at === 0) reportOn(message, [], [[...references[0]!, 0x0131]]);
        else reportOn(message, references);
        return 0;
      },
    });
    await s.out.journal.said("commitment.done");
    expect(s.pacs.stored).toHaveLength(1);
    expect(new Set(s.pacs.asked.map(({ transactionUid }) => transactionUid)).size).toBe(2);
  });

  test("without a report in time it is unknown, and said aloud; a late report is still noted", async () => {
    await using s = await scene({ action: () => 0 }, { pacs: "commitWithin: 1m" });
    const [unknown] = await s.out.journal.said("commitment.unknown");
    expect(unknown).toMatchObject({ destination: "pacs", reason: "no report in time", count: 1 });
    expect(s.out.journal.events.find(({ event }) => event === "commitment.unknown")?.level).toBe("error");
    expect([states(s.out), deliveries(s.out)]).toEqual([["unknown"], ["delivered"]]);
    const [asked] = s.pacs.asked;
    expect(await reportTo(s.out.node.port, asked!, asked!.references)).toBe(0);
    expect(states(s.out)).toEqual(["done"]);
  });

  test("a destination that refuses to be asked is asked again", async () => {
    await using s = await scene({
      action(message) {
        if (message.at < 2) return 0x0213;
        reportOn(message, message.references);
        return 0;
      },
    });
    await s.out.journal.said("commitment.done");
    expect(s.out.journal.of("commitment.postponed").map(({ status }) => status)).toEqual(["0213", "0213"]);
    expect(new Set(s.pacs.asked.map(({ transactionUid }) => transactionUid)).size).toBe(1);
  });

  test("a destination that does not speak of it at all is unknown in the end, and the result stays delivered", async () => {
    await using s = await scene(
      {
        associate: (_, proposed) =>
          associateAc(
            proposed.map(({ id, abstractSyntax }) =>
              abstractSyntax === COMMITMENT ? [id, 3, IMPLICIT] : [id, 0, EXPLICIT],
            ),
          ),
      },
      { pacs: "retryFor: 1m" },
    );
    const [unknown] = await s.out.journal.said("commitment.unknown");
    expect(unknown?.reason).toBe("the destination could not be asked in time");
    expect(deliveries(s.out)).toEqual(["delivered"]);
    expect(s.pacs.asked).toEqual([]);
  });

  test.each<[string, Partial<ActionMessage>, string, number]>([
    ["of a transaction nobody asked for", { transactionUid: "1.2.3.4.5" }, "PACS", 0x0115],
    ["from somebody else than the destination", {}, "OTHER", 0x0124],
  ])("a report %s changes nothing", async (_, other, calling, status) => {
    await using s = await scene({ action: () => 0 });
    await s.out.journal.said("commitment.asked");
    const asked = { ...s.pacs.asked[0]!, ...other };
    expect(await reportTo(s.out.node.port, asked, asked.references, { calling })).toBe(status);
    expect(states(s.out)).toEqual(["waiting"]);
    expect(await reportTo(s.out.node.port, s.pacs.asked[0]!, asked.references)).toBe(0);
  });

  test("a report that leaves out what was asked decides nothing about it", async () => {
    await using s = await scene({ action: () => 0 });
    await s.out.journal.said("commitment.asked");
    expect(await reportTo(s.out.node.port, s.pacs.asked[0]!, [[SEG, "1.2.3"]])).toBe(0);
    expect(states(s.out)).toEqual(["waiting"]);
  });
});

const CT = ctContext.abstractSyntax;

/** A device: stores images, asks for commitment, and takes the report on its own port. */
async function device(out: Outgoing, instances: readonly string[]): Promise<void> {
  const peer = await RawPeer.connect(out.node.port);
  peer.send(associateRq({ calling: "CT1", contexts: [ctContext] }));
  await peer.expect(2);
  for (const [at, uid] of instances.entries()) {
    const dataSet = Buffer.concat([
      element(0x0008, 0x0016, CT),
      element(0x0008, 0x0018, uid),
      element(0x0020, 0x000d, "1.2.840.99999.5"),
      element(0x0020, 0x000e, "1.2.840.99999.6"),
    ]);
    peer.send(pData(1, 3, storeRq(at + 1, uid)), pData(1, 2, dataSet));
    expect(statusOf(await peer.response())).toBe(0);
  }
  peer.destroy();
}

function element(group: number, number: number, uid: string): Buffer {
  const value = Buffer.from(uid.length % 2 ? `${uid}\0` : uid, "latin1");
  const head = Buffer.alloc(8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write("UI", 4, "latin1");
  head.writeUInt16LE(value.length, 6);
  return Buffer.concat([head, value]);
}

async function ask(
  out: Outgoing,
  references: readonly (readonly [string, string])[],
  options: { readonly calling?: string; readonly transactionUid?: string } = {},
): Promise<number | undefined> {
  const peer = await RawPeer.connect(out.node.port);
  const contexts = [{ id: 1, abstractSyntax: COMMITMENT, transferSyntaxes: [IMPLICIT] }];
  peer.send(associateRq({ calling: options.calling ?? "CT1", contexts }));
  await peer.expect(2);
  const command = commandSet(
    ui(0x0003, COMMITMENT),
    us(0x0100, 0x0130),
    us(0x0110, 1),
    us(0x0800, 0),
    ui(0x1001, `${COMMITMENT}.1`),
    us(0x1008, 1),
  );
  peer.send(pData(1, 3, command), pData(1, 2, commitmentSet(options.transactionUid ?? "1.2.9", references)));
  const status = statusOf(await peer.response());
  peer.destroy();
  return status;
}

interface Ear extends AsyncDisposable {
  readonly port: number;
  /** Event type and data set of each report, and how the association began. */
  readonly heard: { readonly type: number | undefined; readonly data: Buffer; readonly request: Buffer }[];
  readonly failures: readonly unknown[];
}

/** Where a device takes reports; the first so many are refused with this status. */
async function startEar(refusals: readonly number[] = [], port = 0): Promise<Ear> {
  const heard: { type: number | undefined; data: Buffer; request: Buffer }[] = [];
  const server = await scripted(async (peer) => {
    const request = await peer.expect(1);
    peer.send(associateAc([[1, 0, IMPLICIT]]));
    const command = await peer.response();
    const data = (await peer.expect(4)).subarray(6);
    const type = command.get(0x1002)?.readUInt16LE(0);
    const status = refusals[heard.push({ type, data, request }) - 1] ?? 0;
    const answer = commandSet(us(0x0100, 0x8100), us(0x0120, 1), us(0x0800, 0x0101), us(0x0900, status));
    peer.send(pData(1, 3, answer));
    await peer.expect(5);
    peer.send(releaseRp);
  }, port);
  return { ...server, heard };
}

describe("towards a device", () => {
  async function node(ear: { readonly port: number }, rest = "", pacs: Script = {}): Promise<Scene> {
    const dicom = `  commitment: [{ aeTitle: CT1, host: 127.0.0.1, port: ${ear.port}${rest} }]`;
    return scene(pacs, { dicom, results: 0 });
  }

  test("what the node keeps is committed, with the role of the SCP on an association of our own", async () => {
    await using ear = await startEar();
    await using s = await node(ear);
    await device(s.out, ["1.2.7.1", "1.2.7.2"]);
    const asked = [
      [CT, "1.2.7.1"],
      [CT, "1.2.7.2"],
    ] as const;
    expect(await ask(s.out, asked)).toBe(0);
    await s.out.journal.said("commitment.reported");
    expect(ear.heard.map(({ type, data }) => [type, data.toString("latin1")])).toEqual([
      [1, commitmentSet("1.2.9", asked).toString("latin1")],
    ]);
    const role = Buffer.concat([
      Buffer.from([0, COMMITMENT.length]),
      Buffer.from(COMMITMENT),
      Buffer.from([0, 1]),
    ]);
    expect(ear.heard[0]?.request.includes(role)).toBe(true);
    expect(ear.heard[0]?.request.toString("latin1", 4, 36)).toBe(
      `${"CT1".padEnd(16)}${"ISOCENTER".padEnd(16)}`,
    );
    expect(ear.failures).toEqual([]);
  });

  test("what the node does not keep, or keeps as another class, is not committed", async () => {
    await using ear = await startEar();
    await using s = await node(ear);
    await device(s.out, ["1.2.7.1"]);
    const other = "1.2.840.10008.5.1.4.1.1.4";
    expect(
      await ask(s.out, [
        [CT, "1.2.7.1"],
        [CT, "1.2.7.99"],
        [other, "1.2.7.1"],
      ]),
    ).toBe(0);
    await s.out.journal.said("commitment.reported");
    const failures = [
      [CT, "1.2.7.99", 0x0112],
      [other, "1.2.7.1", 0x0119],
    ] as const;
    expect(ear.heard[0]?.type).toBe(2);
    expect(ear.heard[0]?.data.toString("latin1")).toBe(
      commitmentSet("1.2.9", [[CT, "1.2.7.1"]], failures).toString("latin1"),
    );
  });

  test("a device that is not configured is refused, and nothing is noted", async () => {
    await using ear = await startEar();
    await using s = await node(ear);
    expect(await ask(s.out, [[CT, "1.2.7.1"]], { calling: "CT2" })).toBe(0x0124);
    expect(states(s.out)).toEqual([]);
  });

  test("a report that the device refuses, or cannot take because it is away, is told again", async () => {
    const port = await freePort();
    await using s = await node({ port });
    await device(s.out, ["1.2.7.1"]);
    expect(await ask(s.out, [[CT, "1.2.7.1"]])).toBe(0);
    await s.out.journal.said("commitment.postponed", 2);
    expect(states(s.out)).toEqual(["reporting"]);
    await using ear = await startEar([0x0110], port);
    await s.out.journal.said("commitment.reported");
    expect(ear.heard).toHaveLength(2);
    expect(ear.failures).toEqual([]);
    expect(states(s.out)).toEqual(["done"]);
  });

  test("a request that comes again is answered again", async () => {
    await using ear = await startEar();
    await using s = await node(ear);
    await device(s.out, ["1.2.7.1"]);
    await ask(s.out, [[CT, "1.2.7.1"]]);
    await s.out.journal.said("commitment.reported");
    await ask(s.out, [[CT, "1.2.7.1"]]);
    await s.out.journal.said("commitment.reported", 2);
    expect(ear.heard.map(({ type }) => type)).toEqual([1, 1]);
    expect(states(s.out)).toEqual(["done"]);
  });

  test("what was asked survives a restart", async () => {
    const port = await freePort();
    await using s = await node({ port });
    await device(s.out, ["1.2.7.1"]);
    await ask(s.out, [[CT, "1.2.7.1"]]);
    await s.out.stop();
    expect(["new", "reporting"]).toContain(states(s.out)[0]);
    s.out.loseJobs(); // they can be made again from the rows
    await using ear = await startEar([], port);
    await s.out.restart();
    await s.out.journal.said("commitment.reported");
    expect(ear.heard.map(({ type }) => type)).toEqual([1]);
  });

  test("with a destination named, only what that has committed is committed", async () => {
    await using ear = await startEar();
    await using s = await node(ear, ", via: pacs", {
      action(message) {
        const [first, second] = message.references;
        reportOn(message, [first!], [[...second!, 0x0112]]);
        return 0;
      },
    });
    // The node itself keeps neither; the destination's word counts.
    expect(
      await ask(s.out, [
        [CT, "1.2.7.1"],
        [CT, "1.2.7.2"],
      ]),
    ).toBe(0);
    await s.out.journal.said("commitment.reported");
    expect(s.pacs.asked[0]?.references.map(([, uid]) => uid)).toEqual(["1.2.7.1", "1.2.7.2"]);
    expect(s.pacs.asked[0]?.transactionUid).not.toBe("1.2.9");
    expect(ear.heard[0]?.data.toString("latin1")).toBe(
      commitmentSet("1.2.9", [[CT, "1.2.7.1"]], [[CT, "1.2.7.2", 0x0112]]).toString("latin1"),
    );
  });

  test("with a destination that never reports, the device is told that nothing is committed", async () => {
    await using ear = await startEar();
    const dicom = `  commitment: [{ aeTitle: CT1, host: 127.0.0.1, port: ${ear.port}, via: pacs }]`;
    await using s = await scene({ action: () => 0 }, { dicom, results: 0, pacs: "commitWithin: 1m" });
    expect(await ask(s.out, [[CT, "1.2.7.1"]])).toBe(0);
    await s.out.journal.said("commitment.reported");
    expect(ear.heard[0]?.data.toString("latin1")).toBe(
      commitmentSet("1.2.9", [], [[CT, "1.2.7.1", 0x0110]]).toString("latin1"),
    );
  });

  test("dcmjs-dimse's client asks, and its server takes the report", async () => {
    const port = await freePort();
    const reports: unknown[] = [];
    class Ears extends dimse.Scp {
      override associationRequested(association: InstanceType<typeof dimse.association.Association>): void {
        for (const { context } of association.getPresentationContexts()) {
          const [syntax] = [...context.getTransferSyntaxUids()];
          if (syntax) context.setResult(dimse.constants.PresentationContextResult.Accept, syntax);
        }
        this.sendAssociationAccept();
      }
      override nEventReportRequest(
        request: InstanceType<typeof dimse.requests.NEventReportRequest>,
        callback: (response: InstanceType<typeof dimse.responses.NEventReportResponse>) => void,
      ): void {
        reports.push(request.getDataset()?.getElement("TransactionUID"));
        const response = dimse.responses.NEventReportResponse.fromRequest(request);
        response.setStatus(0);
        callback(response);
      }
      override associationReleaseRequested(): void {
        this.sendAssociationReleaseResponse();
      }
    }
    const server = new dimse.Server(Ears);
    server.listen(port);
    onTestFinished(() => server.close());
    await using s = await node({ port });
    await device(s.out, ["1.2.7.1"]);
    const request = new dimse.requests.NActionRequest(COMMITMENT, `${COMMITMENT}.1`, 1);
    request.setDataset(
      new dimse.Dataset({
        TransactionUID: "1.2.9",
        ReferencedSOPSequence: [{ ReferencedSOPClassUID: CT, ReferencedSOPInstanceUID: "1.2.7.1" }],
      }),
    );
    const answered = new Promise((resolve) => {
      request.on("response", (response) => resolve(response.getStatus()));
    });
    const client = new dimse.Client();
    client.addRequest(request);
    client.send("127.0.0.1", s.out.node.port, "CT1", "ISOCENTER");
    expect(await answered).toBe(0);
    await s.out.journal.said("commitment.reported");
    expect(reports).toEqual(["1.2.9"]);
  });
});
