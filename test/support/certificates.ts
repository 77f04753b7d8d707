/** Authorities and certificates, made by openssl for one test: P-256 keys, PEM files in its folder. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { hasProgram, testIf } from "./data.ts";

/** `test`, if openssl is there. */
export const testWithOpenssl = testIf(hasProgram("openssl"), "openssl");

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly ca: string;
  issue(commonName: string, options?: IssueOptions): Promise<Pair>;
  /** A revocation list with these certificates. */
  revoke(...revoked: readonly Pair[]): Promise<string>;
}

interface IssueOptions {
  /** As openssl spells them; by default DNS:localhost and IP:127.0.0.1. */
  readonly names?: string;
  /** By default 30; what is negative has expired. */
  readonly days?: number;
  readonly purpose?: "serverAuth" | "clientAuth";
}

const openssl = promisify((args: readonly string[], done: (error: Error | null) => void) =>
  execFile("openssl", args, (error) => done(error)),
);
const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes".split(" ");
let made = 0;

export async function createAuthority(folder: string, name = "Test CA"): Promise<Authority> {
  const path = (what: string): string => join(folder, `${++made}-${what}.pem`);
  const [ca, caKey, database, config] = [path("ca"), path("ca-key"), path("index"), path("config")];
  await openssl(["req", "-x509", ...NEW_KEY, "-subj", `/CN=${name}`, "-keyout", caKey, "-out", ca]);
  return {
    ca,
    async issue(commonName, { names = "DNS:localhost,IP:127.0.0.1", days = 30, purpose } = {}) {
      const [cert, key, request] = [path("cert"), path("key"), path("request")];
      const extensions = ["-addext", `subjectAltName=${names}`];
      if (purpose) extensions.push("-addext", `extendedKeyUsage=${purpose}`);
      const subject = ["-subj", `/CN=${commonName}`];
      await openssl(["req", ...NEW_KEY, ...subject, ...extensions, "-keyout", key, "-out", request]);
      const signing = ["-CA", ca, "-CAkey", caKey, "-copy_extensions", "copy", "-days", String(days)];
      await openssl(["x509", "-req", "-in", request, ...signing, "-out", cert]);
      return { cert, key };
    },
    async revoke(...revoked) {
      const list = path("crl");
      await writeFile(database, "");
      await writeFile(config, `[ca]\ndefault_ca=a\n[a]\ndatabase=${database}\ndefault_md=sha256\n`);
      const signing = ["-config", config, "-cert", ca, "-keyfile", caKey];
      for (const { cert } of revoked) await openssl(["ca", ...signing, "-revoke", cert]);
      await openssl(["ca", ...signing, "-gencrl", "-crldays", "30", "-out", list]);
      return list;
    },
  };
}
