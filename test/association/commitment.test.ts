/** Storage commitment on the wire: what is asked, reported and answered, by either side, on either's association. */
import { describe, expect, test } from "vitest";
import type { CommitmentHandler } from "../../src/association/notice.ts";
import { associate, type ProposedContext, type RequestorAssociation } from "../../src/association/scu.ts";
import {
  type CommitmentReport,
  type CommitmentRequest,
  encodeReport,
  encodeRequest,
} from "../../src/dicom/commitment.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import type { InstanceUid, SopClassUid, Uid } from "../../src/dicom/uid.ts";
import {
  actionRsp,
  associateAc,
  associateRq,
  COMMITMENT,
  CT,
  commandSet,
  commitmentSet,
  EXPLICIT,
  echoRq,
  eventReportRq,
  IMPLICIT,
  pData,
  RawPeer,
  releaseRp,
  roleItem,
  scripted,
  statusOf,
  ui,
  us,
} from "../support/raw-peer.ts";
import { aeTitle, Keeper, startScp } from "./keeper.ts";

const reference = (sopInstanceUid: string) => ({
  sopClassUid: CT as SopClassUid,
  sopInstanceUid: sopInstanceUid as InstanceUid,
});
const request: CommitmentRequest = {
  transactionUid: "1.2.3" as Uid,
  instances: [reference("1.2.3.4"), reference("1.2.3.45")],
};
const report: CommitmentReport = {
  transactionUid: "1.2.3" as Uid,
  committed: [reference("1.2.3.4")],
  failed: [{ ...reference("1.2.3.45"), reason: 0x0112 }],
};
/** The same, by hand. */
const requestBytes = commitmentSet("1.2.3", [
  [CT, "1.2.3.4"],
  [CT, "1.2.3.45"],
]);
const reportBytes = commitmentSet("1.2.3", [[CT, "1.2.3.4"]], [[CT, "1.2.3.45", 0x0112]]);

/** Notes what it is told, and answers as it is told. */
class Told implements CommitmentHandler {
  readonly requests: (readonly [string, CommitmentRequest])[] = [];
  readonly reports: (readonly [string, CommitmentReport])[] = [];
  status = 0;

  async requested(from: string, what: CommitmentRequest): Promise<number> {
    this.requests.push([from, what]);
    return this.status;
  }

  async reported(from: string, what: CommitmentReport): Promise<number> {
    this.reports.push([from, what]);
    return this.status;
  }
}

function call(
  port: number,
  commitment?: CommitmentHandler,
  role?: ProposedContext["role"],
): Promise<RequestorAssociation> {
  return associate(
    { aeTitle: aeTitle("ISOCENTER"), host: "127.0.0.1", port },
    {
      callingAeTitle: aeTitle("CT1"),
      contexts: [
        {
          abstractSyntax: SOP_CLASS.STORAGE_COMMITMENT,
          transferSyntaxes: [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN],
          ...(role && { role }),
        },
      ],
      connectTimeoutMs: 10_000,
      answerTimeoutMs: 10_000,
      ...(commitment && { commitment }),
    },
  );
}

test("the data sets are those of the standard, byte for byte", () => {
  expect(Buffer.from(encodeRequest(request)).toString("hex")).toBe(requestBytes.toString("hex"));
  expect(Buffer.from(encodeReport(report)).toString("hex")).toBe(reportBytes.toString("hex"));
});

describe("as acceptor", () => {
  test("a request is handed on with the calling AE title, and answered with the status of who was told", async () => {
    const told = new Told();
    told.status = 0x0213;
    await using scp = await startScp(new Keeper(), { commitment: told });
    await using association = await call(scp.port);
    const dataSet = [encodeRequest(request)];
    expect(await association.tell({ kind: "request", typeId: 1, dataSet })).toBe(0x0213);
    expect(told.requests).toEqual([["CT1", request]]);
  });

  test("a report is handed on, on an association whose roles are reversed", async () => {
    const told = new Told();
    await using scp = await startScp(new Keeper(), { commitment: told });
    await using association = await call(scp.port, undefined, "scp");
    expect(await association.tell({ kind: "report", typeId: 2, dataSet: [encodeReport(report)] })).toBe(0);
    expect(told.reports).toEqual([["CT1", report]]);
  });

  const contexts = [{ id: 1, abstractSyntax: COMMITMENT, transferSyntaxes: [IMPLICIT] }];

  test("the role of a destination that reports is agreed to; other roles stay as they are", async () => {
    await using scp = await startScp(new Keeper(), { commitment: new Told() });
    const peer = await RawPeer.connect(scp.port);
    peer.send(associateRq({ contexts, user: [roleItem(COMMITMENT, 0, 1), roleItem(CT, 1, 1)] }));
    const accept = await peer.expect(2);
    expect(accept.includes(roleItem(COMMITMENT, 0, 1))).toBe(true);
    expect(accept.includes(roleItem(CT, 1, 1))).toBe(false);
    peer.destroy();
  });

  test("without a handler the class is not supported", async () => {
    await using scp = await startScp(new Keeper());
    const peer = await RawPeer.connect(scp.port);
    peer.send(associateRq({ contexts }));
    const accept = await peer.expect(2);
    expect(accept.readUInt8(accept.indexOf(Buffer.from([0x21, 0])) + 6)).toBe(3);
    peer.destroy();
  });

  test.each<[string, Buffer, Buffer, number]>([
    ["another event type", eventReportRq(1, 3), reportBytes, 0x0113],
    ["an operation of another class", echoRq(1), Buffer.alloc(0), 0x0211],
    ["another instance", nAction({ instance: "1.2.3" }), requestBytes, 0x0112],
    ["another class in the command", nAction({ class: CT }), requestBytes, 0x0118],
    ["another action type", nAction({ type: 2 }), requestBytes, 0x0123],
    ["no data set", nAction({ dataSet: 0x0101 }), Buffer.alloc(0), 0x0115],
    ["no transaction", nAction({}), commitmentSet("", [[CT, "1.2"]]), 0x0115],
    ["no instances", nAction({}), commitmentSet("1.2.3", []), 0x0115],
    ["an instance that is no UID", nAction({}), commitmentSet("1.2.3", [[CT, "../etc"]]), 0x0115],
    ["a data set that is cut off", nAction({}), requestBytes.subarray(0, -3), 0x0115],
    ["nonsense", nAction({}), Buffer.from("x".repeat(1000)), 0x0115],
    ["more than anybody asks for", nAction({}), Buffer.alloc(5_000_000), 0x0213],
  ])("a message with %s is refused with a reason", async (_, command, dataSet, status) => {
    const told = new Told();
    await using scp = await startScp(new Keeper(), { commitment: told });
    const peer = await RawPeer.connect(scp.port);
    peer.send(associateRq({ contexts }));
    await peer.expect(2);
    peer.send(pData(1, 3, command));
    for (let at = 0; at < dataSet.length; at += 100_000) {
      const isLast = at + 100_000 >= dataSet.length;
      peer.send(pData(1, isLast ? 2 : 0, dataSet.subarray(at, at + 100_000)));
    }
    expect(statusOf(await peer.response())?.toString(16)).toBe(status.toString(16));
    expect([...told.requests, ...told.reports]).toEqual([]);
    peer.destroy();
  });

  test("the request is read in Explicit VR, too", async () => {
    const told = new Told();
    await using scp = await startScp(new Keeper(), { commitment: told });
    const peer = await RawPeer.connect(scp.port);
    peer.send(associateRq({ contexts: [{ ...contexts[0]!, transferSyntaxes: [EXPLICIT] }] }));
    await peer.expect(2);
    const uid = Buffer.from([8, 0, 0x95, 0x11, ...Buffer.from("UI"), 6, 0, ...Buffer.from("1.2.3\0")]);
    const one = [8, 0, 0x50, 0x11, ...Buffer.from("UI"), 4, 0, ...Buffer.from("1.2\0")];
    const two = [8, 0, 0x55, 0x11, ...Buffer.from("UI"), 4, 0, ...Buffer.from("1.3\0")];
    const item = [0xfe, 0xff, 0, 0xe0, 24, 0, 0, 0, ...one, ...two];
    const sequence = Buffer.from([
      8,
      0,
      0x99,
      0x11,
      ...Buffer.from("SQ"),
      0,
      0,
      item.length,
      0,
      0,
      0,
      ...item,
    ]);
    peer.send(pData(1, 3, nAction({})), pData(1, 2, Buffer.concat([uid, sequence])));
    expect(statusOf(await peer.response())).toBe(0);
    const instances = [{ sopClassUid: "1.2", sopInstanceUid: "1.3" }];
    expect(told.requests).toEqual([["RAW", { transactionUid: "1.2.3", instances }]]);
    peer.destroy();
  });
});

function nAction(with_: { class?: string; instance?: string; type?: number; dataSet?: number }): Buffer {
  return commandSet(
    ui(0x0003, with_.class ?? COMMITMENT),
    us(0x0100, 0x0130),
    us(0x0110, 1),
    us(0x0800, with_.dataSet ?? 0),
    ui(0x1001, with_.instance ?? `${COMMITMENT}.1`),
    us(0x1008, with_.type ?? 1),
  );
}

describe("as requestor", () => {
  const accepted = associateAc([[1, 0, IMPLICIT]]);

  test("N-ACTION names the requested class, instance and action, and carries the request", async () => {
    const seen: Buffer[] = [];
    await using peer = await scripted(async (peer) => {
      await peer.expect(1);
      peer.send(accepted);
      const command = await peer.response();
      seen.push(...[0x0003, 0x1001, 0x1008, 0x0100].map((element) => command.get(element)!));
      seen.push((await peer.expect(4)).subarray(6));
      peer.send(pData(1, 3, actionRsp(1, 0)));
      await peer.expect(5);
      peer.send(releaseRp);
    });
    {
      await using association = await call(peer.port);
      const dataSet = [encodeRequest(request)];
      expect(await association.tell({ kind: "request", typeId: 1, dataSet })).toBe(0);
    }
    expect(peer.failures).toEqual([]);
    expect(seen.map((value) => value.toString("latin1"))).toEqual([
      COMMITMENT,
      `${COMMITMENT}.1`,
      "\x01\0",
      "\x30\x01",
      requestBytes.toString("latin1"),
    ]);
  });

  test("a report is taken on the same association, even before the answer to the request", async () => {
    const told = new Told();
    let answer: ReadonlyMap<number, Buffer> | undefined;
    await using peer = await scripted(async (peer) => {
      await peer.expect(1);
      peer.send(accepted);
      await peer.response();
      await peer.expect(4);
      peer.send(pData(1, 3, eventReportRq(7, 2)), pData(1, 2, reportBytes), pData(1, 3, actionRsp(1, 0)));
      answer = await peer.response();
      await peer.expect(5);
      peer.send(releaseRp);
    });
    {
      await using association = await call(peer.port, told);
      const dataSet = [encodeRequest(request)];
      expect(await association.tell({ kind: "request", typeId: 1, dataSet })).toBe(0);
      await expect.poll(() => told.reports.length).toBe(1);
    }
    expect(peer.failures).toEqual([]);
    expect(told.reports).toEqual([["ISOCENTER", report]]);
    expect(answer?.get(0x0100)?.readUInt16LE(0)).toBe(0x8100);
    expect(answer?.get(0x0120)?.readUInt16LE(0)).toBe(7);
    expect(answer?.get(0x1002)?.readUInt16LE(0)).toBe(2);
    expect(statusOf(answer!)).toBe(0);
  });

  test.each<[string, Buffer, boolean]>([
    ["a report nobody here waits for", eventReportRq(7, 1), false],
    ["a request that only a device makes", nAction({}), true],
  ])("%s aborts the association", async (_, command, isTold) => {
    await using peer = await scripted(async (peer) => {
      await peer.expect(1);
      peer.send(accepted, pData(1, 3, command));
      await peer.expect(7);
    });
    await using association = await call(peer.port, isTold ? new Told() : undefined);
    await association.ended;
    expect(peer.failures).toEqual([]);
  });

  test("whoever reports proposes the role of the SCP", async () => {
    let proposed: Buffer | undefined;
    await using peer = await scripted(async (peer) => {
      proposed = await peer.expect(1);
      peer.send(accepted);
      const command = await peer.response();
      expect(command.get(0x1002)?.readUInt16LE(0)).toBe(2);
      await peer.expect(4);
      peer.send(
        pData(1, 3, commandSet(us(0x0100, 0x8100), us(0x0120, 1), us(0x0800, 0x0101), us(0x0900, 0))),
      );
      await peer.expect(5);
      peer.send(releaseRp);
    });
    {
      await using association = await call(peer.port, undefined, "scp");
      expect(await association.tell({ kind: "report", typeId: 2, dataSet: [encodeReport(report)] })).toBe(0);
    }
    expect(proposed?.includes(roleItem(COMMITMENT, 0, 1))).toBe(true);
    expect(peer.failures).toEqual([]);
  });

  test("a peer that does not speak of it is told apart", async () => {
    await using peer = await scripted(async (peer) => {
      await peer.expect(1);
      peer.send(associateAc([[1, 3, IMPLICIT]]));
      await peer.expect(5);
      peer.send(releaseRp);
    });
    await using association = await call(peer.port);
    const dataSet = [encodeRequest(request)];
    await expect(association.tell({ kind: "request", typeId: 1, dataSet })).rejects.toMatchObject({
      code: "CONTEXT_REFUSED",
    });
  });
});
