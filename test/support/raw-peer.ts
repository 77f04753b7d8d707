/**
 * A DICOM peer made by hand: writes any bytes, reads PDUs. For what no well-behaved toolkit would do.
 *
 * Its encoders are written from PS3.8 and PS3.7 and share nothing with src/association, so that the two check
 * each other.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface RawPdu {
  readonly type: number;
  readonly body: Buffer;
}

export class RawPeer {
  readonly socket: Socket;
  /** The other side has closed, or reset, the connection. */
  readonly closed: Promise<void>;
  #bytes = Buffer.alloc(0);
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    this.closed = new Promise((resolve) => {
      const close = (): void => {
        this.#isClosed = true;
        this.#wake();
        resolve();
      };
      socket.on("end", close).on("close", close);
    });
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
  }

  static async connect(port: number, from = "127.0.0.1"): Promise<RawPeer> {
    const socket = connect({ port, host: "127.0.0.1", localAddress: from });
    await once(socket, "connect");
    return new RawPeer(socket);
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** The next PDU, or "closed" if the connection ends before one is whole. */
  async next(): Promise<RawPdu | "closed"> {
    for (;;) {
      const length = this.#bytes.length >= 6 ? this.#bytes.readUInt32BE(2) + 6 : Number.POSITIVE_INFINITY;
      if (this.#bytes.length >= length) {
        const bytes = this.#bytes.subarray(0, length);
        this.#bytes = this.#bytes.subarray(length);
        return { type: bytes.readUInt8(0), body: bytes.subarray(6) };
      }
      if (this.#isClosed) return "closed";
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next PDU, which has to be of this type. */
  async expect(type: number): Promise<Buffer> {
    const pdu = await this.next();
    if (pdu === "closed" || pdu.type !== type) {
      const found = pdu === "closed" ? pdu : `PDU ${pdu.type} ${pdu.body.subarray(0, 16).toString("hex")}`;
      throw new Error(`expected PDU ${type}, found ${found}`);
    }
    return pdu.body;
  }

  /** The command elements of the next P-DATA-TF, which has to hold one command set and nothing else. */
  async response(): Promise<ReadonlyMap<number, Buffer>> {
    const body = await this.expect(4);
    if ((body.readUInt8(5) & 3) !== 3) throw new Error("expected a whole command set");
    return elementsOf(body.subarray(6));
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** A server whose every connection is played by `script`; disposing closes all. */
export async function scripted(
  script: (peer: RawPeer) => Promise<void>,
  port = 0,
): Promise<AsyncDisposable & { readonly port: number; readonly failures: readonly unknown[] }> {
  const peers: RawPeer[] = [];
  const failures: unknown[] = [];
  const server = createServer((socket) => {
    const peer = new RawPeer(socket);
    peers.push(peer);
    script(peer).catch((error: unknown) => failures.push(error));
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    failures,
    async [Symbol.asyncDispose]() {
      for (const peer of peers) peer.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

export interface RawContext {
  readonly id: number;
  readonly abstractSyntax: string;
  readonly transferSyntaxes: readonly string[];
}

export const VERIFICATION = "1.2.840.10008.1.1";
export const CT = "1.2.840.10008.5.1.4.1.1.2";
export const IMPLICIT = "1.2.840.10008.1.2";
export const EXPLICIT = "1.2.840.10008.1.2.1";

export const ctContext: RawContext = { id: 1, abstractSyntax: CT, transferSyntaxes: [EXPLICIT] };
export const echoContext: RawContext = { id: 3, abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT] };

export interface RawAssociate {
  readonly called?: string;
  readonly calling?: string;
  readonly version?: number;
  readonly applicationContext?: string;
  readonly contexts?: readonly RawContext[];
  readonly maxLength?: number;
  /** More sub-items for the user information item. */
  readonly user?: readonly Buffer[];
}

export function associateRq(options: RawAssociate = {}): Buffer {
  const contexts = (options.contexts ?? [ctContext, echoContext]).map(
    ({ id, abstractSyntax, transferSyntaxes }) =>
      item(
        0x20,
        Buffer.from([id, 0, 0, 0]),
        uidItem(0x30, abstractSyntax),
        ...transferSyntaxes.map((uid) => uidItem(0x40, uid)),
      ),
  );
  return associate(1, contexts, options);
}

/** @param answers  id, result and transfer syntax of each context */
export function associateAc(
  answers: readonly (readonly [id: number, result: number, syntax: string])[],
  options: RawAssociate = {},
): Buffer {
  const contexts = answers.map(([id, result, syntax]) =>
    item(0x21, Buffer.from([id, 0, result, 0]), uidItem(0x40, syntax)),
  );
  return associate(2, contexts, options);
}

function associate(type: number, contexts: readonly Buffer[], options: RawAssociate): Buffer {
  const head = Buffer.alloc(68);
  head.writeUInt16BE(options.version ?? 1, 0);
  head.write((options.called ?? "ISOCENTER").padEnd(16), 4, "latin1");
  head.write((options.calling ?? "RAW").padEnd(16), 20, "latin1");
  const maxLength = Buffer.alloc(4);
  maxLength.writeUInt32BE(options.maxLength ?? 16_384);
  return pdu(
    type,
    head,
    uidItem(0x10, options.applicationContext ?? "1.2.840.10008.3.1.1.1"),
    ...contexts,
    item(0x50, item(0x51, maxLength), uidItem(0x52, "1.2.3.4"), ...(options.user ?? [])),
  );
}

export function pdu(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.from([type, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(body.length, 2);
  return Buffer.concat([head, body]);
}

export function item(type: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.from([type, 0, 0, 0]);
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
}

export function uidItem(type: number, uid: string): Buffer {
  return item(type, Buffer.from(uid, "latin1"));
}

/** Message control header: 3 is the last of a command, 1 some of a command, 2 the last of a data set, 0 some. */
export function pdv(contextId: number, control: number, bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt32BE(bytes.length + 2, 0);
  head.writeUInt8(contextId, 4);
  head.writeUInt8(control, 5);
  return Buffer.concat([head, bytes]);
}

export function pData(contextId: number, control: number, bytes: Uint8Array): Buffer {
  return pdu(4, pdv(contextId, control, bytes));
}

export const releaseRq = pdu(5, Buffer.alloc(4));
export const releaseRp = pdu(6, Buffer.alloc(4));
export const abortPdu = pdu(7, Buffer.alloc(4));

export function us(element: number, value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return element0(element, bytes);
}

export function ui(element: number, value: string): Buffer {
  return element0(element, Buffer.from(value.length % 2 ? `${value}\0` : value, "latin1"));
}

export function commandSet(...elements: readonly Buffer[]): Buffer {
  const body = Buffer.concat(elements);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  return Buffer.concat([element0(0, length), body]);
}

export function storeRq(
  messageId: number,
  instanceUid: string,
  options: { readonly classUid?: string; readonly dataSetType?: number } = {},
): Buffer {
  return commandSet(
    ui(0x0002, options.classUid ?? CT),
    us(0x0100, 0x0001),
    us(0x0110, messageId),
    us(0x0700, 0),
    us(0x0800, options.dataSetType ?? 0),
    ui(0x1000, instanceUid),
  );
}

export function storeRsp(
  messageId: number,
  status: number,
  options: { readonly classUid?: string; readonly instanceUid?: string; readonly comment?: string } = {},
): Buffer {
  return commandSet(
    ...(options.classUid ? [ui(0x0002, options.classUid)] : []),
    us(0x0100, 0x8001),
    us(0x0120, messageId),
    us(0x0800, 0x0101),
    us(0x0900, status),
    ...(options.comment ? [element0(0x0902, Buffer.from(options.comment, "latin1"))] : []),
    ...(options.instanceUid ? [ui(0x1000, options.instanceUid)] : []),
  );
}

export function echoRq(messageId: number): Buffer {
  return commandSet(ui(0x0002, VERIFICATION), us(0x0100, 0x0030), us(0x0110, messageId), us(0x0800, 0x0101));
}

export const COMMITMENT = "1.2.840.10008.1.20.1";

/** SCP/SCU role selection, PS3.7 D.3.3.4. */
export function roleItem(uid: string, scu: 0 | 1, scp: 0 | 1): Buffer {
  const name = Buffer.from(uid, "latin1");
  return item(0x54, Buffer.from([0, name.length]), name, Buffer.from([scu, scp]));
}

/** N-EVENT-REPORT-RQ of storage commitment. */
export function eventReportRq(messageId: number, eventType: number): Buffer {
  return commandSet(
    ui(0x0002, COMMITMENT),
    us(0x0100, 0x0100),
    us(0x0110, messageId),
    us(0x0800, 0),
    ui(0x1000, `${COMMITMENT}.1`),
    us(0x1002, eventType),
  );
}

/** N-ACTION-RSP of storage commitment. */
export function actionRsp(messageId: number, status: number): Buffer {
  return commandSet(
    ui(0x0002, COMMITMENT),
    us(0x0100, 0x8130),
    us(0x0120, messageId),
    us(0x0800, 0x0101),
    us(0x0900, status),
    ui(0x1000, `${COMMITMENT}.1`),
  );
}

/** A data set of storage commitment in Implicit VR Little Endian: what was committed, what failed and why. */
export function commitmentSet(
  transactionUid: string,
  references: readonly (readonly [classUid: string, instanceUid: string])[],
  failures: readonly (readonly [classUid: string, instanceUid: string, reason: number])[] = [],
): Buffer {
  const uid = (value: string): Buffer => Buffer.from(value.length % 2 ? `${value}\0` : value, "latin1");
  const reference = (classUid: string, instanceUid: string): readonly Buffer[] => [
    implicit(0x00081150, uid(classUid)),
    implicit(0x00081155, uid(instanceUid)),
  ];
  const failed = failures.map(([classUid, instanceUid, reason]) => {
    const why = Buffer.alloc(2);
    why.writeUInt16LE(reason);
    return implicit(0xfffee000, ...reference(classUid, instanceUid), implicit(0x00081197, why));
  });
  const good = references.map(([classUid, instanceUid]) =>
    implicit(0xfffee000, ...reference(classUid, instanceUid)),
  );
  return Buffer.concat([
    implicit(0x00081195, uid(transactionUid)),
    ...(failed.length > 0 ? [implicit(0x00081198, ...failed)] : []),
    ...(good.length > 0 ? [implicit(0x00081199, ...good)] : []),
  ]);
}

function implicit(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const head = Buffer.alloc(8);
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xffff, 2);
  head.writeUInt32LE(value.length, 4);
  return Buffer.concat([head, value]);
}

export function elementsOf(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const elements = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; at += 8 + bytes.readUInt32LE(at + 4)) {
    elements.set(bytes.readUInt16LE(at + 2), bytes.subarray(at + 8, at + 8 + bytes.readUInt32LE(at + 4)));
  }
  return elements;
}

export function statusOf(response: ReadonlyMap<number, Buffer>): number | undefined {
  return response.get(0x0900)?.readUInt16LE(0);
}

function element0(element: number, value: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt16LE(element, 2);
  head.writeUInt32LE(value.length, 4);
  return Buffer.concat([head, value]);
}
