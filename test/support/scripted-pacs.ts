/**
 * A PACS that follows a script: accepts what is proposed, answers C-STORE and N-ACTION as it is told, or misbehaves.
 *
 * Over the hand-made peer (raw-peer.ts), so it shares nothing with the code under test.
 */
import {
  actionRsp,
  associateAc,
  associateRq,
  COMMITMENT,
  commitmentSet,
  elementsOf,
  eventReportRq,
  IMPLICIT,
  pData,
  RawPeer,
  releaseRp,
  releaseRq,
  roleItem,
  scripted,
  statusOf,
  storeRsp,
} from "./raw-peer.ts";

interface Proposed {
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly string[];
}

interface StoreMessage {
  /** Counts all C-STOREs of this PACS, from 0. */
  readonly at: number;
  readonly contextId: number;
  readonly messageId: number;
  readonly sopInstanceUid: string;
  readonly data: Buffer;
  readonly peer: RawPeer;
}

export interface ActionMessage {
  readonly at: number;
  readonly contextId: number;
  readonly messageId: number;
  readonly transactionUid: string;
  readonly references: readonly (readonly [classUid: string, instanceUid: string])[];
  readonly peer: RawPeer;
}

/** What a hook returns: a status to answer with, or undefined where the hook did all there was to do. */
type Answer = number | undefined | Promise<number | undefined>;

export interface Script {
  /** Answers the association request; by default all contexts are accepted in their first syntax. */
  readonly associate?: (peer: RawPeer, proposed: readonly Proposed[], at: number) => Buffer | undefined;
  readonly store?: (message: StoreMessage) => Answer;
  readonly action?: (message: ActionMessage) => Answer;
}

export interface ScriptedPacs extends AsyncDisposable {
  readonly port: number;
  readonly failures: readonly unknown[];
  /** Counts association requests. */
  readonly associations: () => number;
  /** SOP Instance UIDs in order, those whose data came whole. */
  readonly stored: readonly string[];
  readonly asked: readonly ActionMessage[];
}

export async function startScriptedPacs(script: Script = {}): Promise<ScriptedPacs> {
  const stored: string[] = [];
  const asked: ActionMessage[] = [];
  let associations = 0;
  let stores = 0;
  const server = await scripted(async (peer) => {
    const request = await peer.next();
    if (request === "closed" || request.type !== 1) return;
    const proposed = proposedIn(request.body);
    const answer = (script.associate ?? accept)(peer, proposed, associations++);
    if (!answer) return;
    peer.send(answer);
    for (;;) {
      const pdu = await peer.next();
      if (pdu === "closed" || pdu.type === 7) return;
      if (pdu.type === 5) return peer.send(releaseRp);
      if (pdu.type !== 4) throw new Error(`PDU ${pdu.type}`);
      const contextId = pdu.body.readUInt8(4);
      const command = elementsOf(pdu.body.subarray(6));
      const field = command.get(0x0100)?.readUInt16LE(0);
      if (field === 0x8100) continue; // the answer to a report of ours
      const messageId = command.get(0x0110)?.readUInt16LE(0) ?? 0;
      if (field === 0x0001) {
        const at = stores++;
        const data = await dataSet(peer);
        if (!data) return;
        const sopInstanceUid = text(command.get(0x1000));
        stored.push(sopInstanceUid);
        const status = await (script.store ?? (() => 0))({
          at,
          contextId,
          messageId,
          sopInstanceUid,
          data,
          peer,
        });
        if (status !== undefined) peer.send(pData(contextId, 3, storeRsp(messageId, status)));
      } else {
        const data = await dataSet(peer);
        if (!data) return;
        const message = { at: asked.length, contextId, messageId, peer, ...requestIn(data) };
        asked.push(message);
        const status = await (script.action ?? (() => 0))(message);
        if (status !== undefined) peer.send(pData(contextId, 3, actionRsp(messageId, status)));
      }
    }
  });
  return {
    port: server.port,
    failures: server.failures,
    associations: () => associations,
    stored,
    asked,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** All contexts, in the first syntax of each. */
function accept(_peer: RawPeer, proposed: readonly Proposed[]): Buffer {
  return associateAc(proposed.map(({ id, transferSyntaxes }) => [id, 0, transferSyntaxes[0] ?? IMPLICIT]));
}

/** N-EVENT-REPORT on the association that asked. */
export function reportOn(
  { peer, contextId, transactionUid }: ActionMessage,
  committed: ActionMessage["references"],
  failed: readonly (readonly [string, string, number])[] = [],
): void {
  const type = failed.length > 0 ? 2 : 1;
  const data = commitmentSet(transactionUid, committed, failed);
  peer.send(pData(contextId, 3, eventReportRq(900, type)), pData(contextId, 2, data));
}

/** N-EVENT-REPORT on an association that the PACS opens, roles reversed. @returns the status it was answered with */
export async function reportTo(
  port: number,
  { transactionUid }: Pick<ActionMessage, "transactionUid">,
  committed: ActionMessage["references"],
  options: {
    readonly failed?: readonly (readonly [string, string, number])[];
    readonly calling?: string;
  } = {},
): Promise<number | undefined> {
  const peer = await RawPeer.connect(port);
  const contexts = [{ id: 1, abstractSyntax: COMMITMENT, transferSyntaxes: [IMPLICIT] }];
  peer.send(
    associateRq({ calling: options.calling ?? "PACS", contexts, user: [roleItem(COMMITMENT, 0, 1)] }),
  );
  await peer.expect(2);
  const failed = options.failed ?? [];
  const data = commitmentSet(transactionUid, committed, failed);
  peer.send(pData(1, 3, eventReportRq(1, failed.length > 0 ? 2 : 1)), pData(1, 2, data));
  const status = statusOf(await peer.response());
  peer.send(releaseRq);
  await peer.expect(6);
  peer.destroy();
  return status;
}

async function dataSet(peer: RawPeer): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  for (;;) {
    const pdu = await peer.next();
    if (pdu === "closed" || pdu.type !== 4) return undefined;
    parts.push(pdu.body.subarray(6));
    if ((pdu.body.readUInt8(5) & 2) !== 0) return Buffer.concat(parts);
  }
}

function proposedIn(body: Buffer): readonly Proposed[] {
  return itemsIn(body.subarray(68)).flatMap(({ type, bytes }) => {
    if (type !== 0x20) return [];
    const items = itemsIn(bytes.subarray(4));
    const uids = (wanted: number) => items.filter((one) => one.type === wanted).map((one) => text(one.bytes));
    return [{ id: bytes.readUInt8(0), abstractSyntax: uids(0x30)[0] ?? "", transferSyntaxes: uids(0x40) }];
  });
}

function itemsIn(bytes: Buffer): readonly { readonly type: number; readonly bytes: Buffer }[] {
  const items: { type: number; bytes: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    items.push({ type: bytes.readUInt8(at), bytes: bytes.subarray(at + 4, end) });
    at = end;
  }
  return items;
}

/** Transaction UID and references of an N-ACTION, Implicit VR with defined lengths, as ours are. */
function requestIn(data: Buffer): Pick<ActionMessage, "transactionUid" | "references"> {
  const elements = implicitIn(data);
  const items = implicitIn(elements.find(({ tag }) => tag === 0x00081199)?.value ?? Buffer.alloc(0));
  const value = (from: ReturnType<typeof implicitIn>, tag: number) =>
    text(from.find((one) => one.tag === tag)?.value);
  return {
    transactionUid: value(elements, 0x00081195),
    references: items.map((item) => {
      const inside = implicitIn(item.value);
      return [value(inside, 0x00081150), value(inside, 0x00081155)] as const;
    }),
  };
}

function implicitIn(data: Buffer): readonly { readonly tag: number; readonly value: Buffer }[] {
  const elements: { tag: number; value: Buffer }[] = [];
  for (let at = 0; at < data.length; ) {
    const tag = data.readUInt16LE(at) * 0x10000 + data.readUInt16LE(at + 2);
    const end = at + 8 + data.readUInt32LE(at + 4);
    elements.push({ tag, value: data.subarray(at + 8, end) });
    at = end;
  }
  return elements;
}

function text(bytes: Buffer | undefined): string {
  return (bytes ?? Buffer.alloc(0)).toString("latin1").replace(/[\0 ]+$/, "");
}
