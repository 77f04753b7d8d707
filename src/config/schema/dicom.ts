/** Settings of the DICOM listener: where, for whom, within which limits. */
import { isIP } from "node:net";
import * as z from "zod";
import type { AeTitle } from "../../dicom/ae-title.ts";
import { parseAeTitle } from "../../dicom/ae-title.ts";
import { SEQUENCE_DEPTH_LIMIT } from "../../dicom/constants.ts";
import { bytes, duration, expected, flag, host, line, listOf, path, section, text, whole } from "../kinds.ts";
import { peer, withTimeouts } from "./peer.ts";

export const LISTEN_DEFAULT = { host: "127.0.0.1", port: 11112 } as const;
export const TLS_LISTEN_DEFAULT = { host: "127.0.0.1", port: 2762 } as const;

const listen = section({
  host: host()
    .prefault(LISTEN_DEFAULT.host)
    .describe("Address to listen on; 0.0.0.0 is every one of this machine."),
  port: whole(0, 65535)
    .prefault(LISTEN_DEFAULT.port)
    .describe("TCP port to listen on; 0 takes any that is free."),
});

const tls = section({
  host: host()
    .prefault(TLS_LISTEN_DEFAULT.host)
    .describe("Address to listen on for TLS; 0.0.0.0 is every one of this machine."),
  port: whole(0, 65535)
    .prefault(TLS_LISTEN_DEFAULT.port)
    .describe("TCP port to listen on for TLS, beside the plain one; 0 takes any that is free."),
  cert: path().describe("PEM file of the node's certificate, with those between it and its authority."),
  key: path().describe("PEM file of its private key, without passphrase."),
  ca: z.exactOptional(path()).describe("PEM file of the authorities whose certificates callers may show."),
  crl: z.exactOptional(path()).describe("PEM file of the revocation lists of these authorities."),
  mutual: flag()
    .prefault(true)
    .describe(
      "Whether a caller must show a certificate; then ca is needed. What is false lets anybody speak TLS.",
    ),
  handshakeTimeout: duration("1s", "1m").prefault("10s").describe("How long a TLS handshake may take."),
}).transform(({ cert, key, ca, crl, handshakeTimeout, ...rest }) => ({
  ...rest,
  handshakeMs: handshakeTimeout,
  files: { cert, key, ...(ca !== undefined && { ca }), ...(crl !== undefined && { crl }) },
}));

const caller = section({
  aeTitle: text<AeTitle | "*">('an AE title of 1 to 16 characters, or "*"', (written) =>
    written === "*" ? "*" : parseAeTitle(written),
  ).describe("Calling AE title that may open an association."),
  from: text('an IP address, a network such as 10.20.0.0/16, or "*"', (written) =>
    written === "*" || isNetwork(written) ? written : undefined,
  ).describe("Where it may call from."),
  certificate: z
    .exactOptional(line(253))
    .describe(
      "A name in the certificate it has to show under TLS: the Common Name, or a DNS name, IP or e-mail address.",
    ),
});

const device = section({
  ...peer,
  via: z
    .exactOptional(line(63))
    .describe(
      "Destination that has to commit first: its word is passed on. By default what the node keeps is committed.",
    ),
}).transform(withTimeouts);

const limits = section({
  associations: whole(1, 1000)
    .prefault(25)
    .describe("Associations open at a time; more are rejected for now (2/3/2), and the peer tries later."),
  associationsPerPeer: whole(1, 1000).prefault(25).describe("The same for one peer address."),
  pduLength: bytes("4KiB", "1MiB")
    .prefault("128KiB")
    .describe("Longest P-DATA-TF PDU taken, announced to the peer (PS3.8 D.1); a longer one is aborted."),
  associateLength: bytes("4KiB", "4MiB")
    .prefault("256KiB")
    .describe("Longest A-ASSOCIATE-RQ PDU taken; a longer one is aborted."),
  commandLength: bytes("1KiB", "1MiB")
    .prefault("16KiB")
    .describe("Longest DIMSE command set taken; a longer one is aborted."),
  instanceLength: bytes("1MiB", "1TiB")
    .prefault("4GiB")
    .describe("Largest instance taken, deflated or not; a larger one is answered A700H."),
  headerLength: bytes("64KiB", "1GiB")
    .prefault("64MiB")
    .describe("How much of an instance is read to find its UIDs; without them there it is answered C000H."),
  sequenceDepth: whole(8, SEQUENCE_DEPTH_LIMIT)
    .prefault(SEQUENCE_DEPTH_LIMIT)
    .describe("How deep sequences may lie in sequences; a deeper instance is answered C000H."),
}).transform(({ pduLength, associateLength, commandLength, instanceLength, headerLength, ...counts }) => ({
  ...counts,
  pduBytes: pduLength,
  associateBytes: associateLength,
  commandBytes: commandLength,
  instanceBytes: instanceLength,
  headerBytes: headerLength,
}));

const timeouts = section({
  artim: duration("1s", "10m")
    .prefault("25s")
    .describe(
      "How long a peer may take to send A-ASSOCIATE-RQ once connected, and to close at the end (PS3.8 9.1.5).",
    ),
  idle: duration("1s", "1h")
    .prefault("60s")
    .describe("How long an open association may be silent between messages; then it is aborted."),
  inactivity: duration("1s", "1h")
    .prefault("25s")
    .describe(
      "How long a peer may stop within a message, or not take what it is sent; then it is aborted, and the instance dropped.",
    ),
  grace: duration("0s", "10m")
    .prefault("10s")
    .describe("How long open associations may go on when the node stops."),
}).transform(({ artim, idle, inactivity, grace }) => ({
  artimMs: artim,
  idleMs: idle,
  inactivityMs: inactivity,
  graceMs: grace,
}));

export const dicom = section({
  listen: listen.prefault({}),
  tls: z.exactOptional(tls),
  callers: listOf("callers", caller),
  commitment: z.array(device, { error: expected("a list of devices") }).prefault([]),
  acceptDeflated: flag()
    .prefault(false)
    .describe(
      "Whether Deflated Explicit VR Little Endian is accepted; what is deflated can grow a thousandfold.",
    ),
  limits: limits.prefault({}),
  timeouts: timeouts.prefault({}),
});

function isNetwork(written: string): boolean {
  const [address = "", prefix, ...more] = written.split("/");
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 6 ? 128 : 32));
}
