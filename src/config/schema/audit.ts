/** Settings of the audit trail: what is kept, and to whom it is sent. */
import * as z from "zod";
import { bytes, host, line, path, section, whole } from "../kinds.ts";

const FILE_BYTES = 1024 * 1024;

const syslog = section({
  host: host().describe("Collector of audit messages: syslog over TLS (RFC 5425)."),
  port: whole(1, 65535).prefault(6514).describe("Its port."),
  ca: z.exactOptional(path()).describe("PEM file of the authorities that may vouch for it."),
  cert: z.exactOptional(path()).describe("PEM file of the certificate that the node shows it."),
  key: z.exactOptional(path()).describe("PEM file of its private key, without passphrase."),
});

export const audit = section({
  keep: bytes("16MiB", "1TiB")
    .prefault("1GiB")
    .describe("How much of the audit trail is kept in the data folder; the oldest goes first."),
  site: z.exactOptional(line(64)).describe("What the site calls itself in audit messages."),
  syslog: z.exactOptional(syslog),
}).transform(({ keep, ...rest }) => ({
  ...rest,
  fileBytes: FILE_BYTES,
  files: Math.ceil(keep / FILE_BYTES),
}));
