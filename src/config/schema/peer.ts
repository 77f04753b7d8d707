/** What every peer that the node calls has: where it is, under which TLS, how long it may take. */
import * as z from "zod";
import { aeTitle, duration, host, path, section, whole } from "../kinds.ts";

const tls = section({
  ca: path().describe("PEM file of the authorities that may vouch for the peer; with it TLS is spoken."),
  cert: z.exactOptional(path()).describe("PEM file of the certificate that the node shows it."),
  key: z.exactOptional(path()).describe("PEM file of its private key, without passphrase."),
  crl: z.exactOptional(path()).describe("PEM file of the revocation lists of these authorities."),
  serverName: z
    .exactOptional(host())
    .describe("The name that its certificate must have; by default the host."),
}).transform(({ serverName, ...files }) => ({ files, ...(serverName !== undefined && { serverName }) }));

export const peer = {
  aeTitle: aeTitle().describe("Its AE title."),
  host: host().describe("Its host name or address."),
  port: whole(1, 65535).describe("Its TCP port."),
  tls: z.exactOptional(tls),
  connectTimeout: duration("1s", "5m")
    .prefault("10s")
    .describe("How long connecting, under TLS with the handshake, may take."),
  answerTimeout: duration("1s", "1h")
    .prefault("60s")
    .describe("How long an answer may take: to the association request, and to each message."),
};

interface Written {
  readonly connectTimeout: number;
  readonly answerTimeout: number;
}

export function withTimeouts<Peer extends Written>({ connectTimeout, answerTimeout, ...rest }: Peer) {
  return { ...rest, connectTimeoutMs: connectTimeout, answerTimeoutMs: answerTimeout };
}
