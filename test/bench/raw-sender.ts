/**
 * Sends instances as fast as a server takes them: the data sets are encoded before, each C-STORE is one write, one
 * operation is outstanding on each association. It costs the machine little, so what is measured is the server.
 */
import { ctImage, explicit } from "../support/bytes.ts";
import { associateRq, pData, pdv, RawPeer, releaseRq, statusOf, storeRq } from "../support/raw-peer.ts";

export interface Load {
  readonly name: string;
  readonly associations: number;
  /** On each association. */
  readonly instances: number;
  readonly pixelBytes: number;
}

/** As storescp and the node announce: 16 KiB is the default of the one, 128 KiB that of the other; both take 16. */
const VALUE_BYTES = 16_384 - 6;
/** Of the same length always, so that it can be written over. */
const uidOf = (round: number, association: number, at: number): string =>
  `1.2.826.0.1.3680043.10.1.${[round, association, at].map((n) => String(10_000 + n)).join(".")}`;

let rounds = 0;

/** @returns seconds from the first byte of the first instance to the last response */
export async function sendLoad(load: Load, port: number): Promise<number> {
  return Math.max(...(await sendTimed(load, port)));
}

/** @returns the same for each association; all begin at the same time */
export async function sendTimed(load: Load, port: number): Promise<readonly number[]> {
  rounds += 1;
  const round = rounds;
  const associations = await Promise.all(
    Array.from({ length: load.associations }, () => openAssociation(port)),
  );
  const began = performance.now();
  const seconds = await Promise.all(
    associations.map(async (peer, at) => {
      await sendOn(peer, load, { round, association: at });
      return (performance.now() - began) / 1000;
    }),
  );
  for (const peer of associations) {
    peer.send(releaseRq);
    await peer.expect(6);
    peer.destroy();
  }
  return seconds;
}

async function openAssociation(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peer.send(associateRq());
  await peer.expect(2);
  return peer;
}

async function sendOn(
  peer: RawPeer,
  { instances, pixelBytes }: Load,
  { round, association }: { readonly round: number; readonly association: number },
): Promise<void> {
  const template = encoded(uidOf(0, 0, 0), pixelBytes);
  const places = placesOf(template, uidOf(0, 0, 0));
  for (let at = 0; at < instances; at += 1) {
    const uid = uidOf(round, association, at);
    for (const place of places) template.write(uid, place, "latin1");
    peer.socket.write(template); // nothing is written over before the response
    const status = statusOf(await peer.response());
    if (status !== 0) throw new Error(`status ${status?.toString(16)}`);
  }
}

/** Command and data set of one C-STORE, the whole way to the wire. */
function encoded(uid: string, pixelBytes: number): Buffer {
  const padded = uid.length % 2 ? `${uid}\0` : uid;
  const dataSet = ctImage({
    "00080018": explicit("00080018", "UI", padded),
    "7fe00010": explicit("7fe00010", "OW", new Uint8Array(pixelBytes)),
  });
  const parts = [pData(1, 3, storeRq(1, uid))];
  for (let at = 0; at < dataSet.length; at += VALUE_BYTES) {
    const value = dataSet.subarray(at, at + VALUE_BYTES);
    parts.push(pduOf(pdv(1, at + VALUE_BYTES >= dataSet.length ? 2 : 0, value)));
  }
  return Buffer.concat(parts);
}

function pduOf(value: Buffer): Buffer {
  const head = Buffer.from([4, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(value.length, 2);
  return Buffer.concat([head, value]);
}

function placesOf(bytes: Buffer, uid: string): readonly number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(uid); at >= 0; at = bytes.indexOf(uid, at + 1)) places.push(at);
  return places;
}
