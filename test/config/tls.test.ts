import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { check } from "../../src/commands/check.ts";
import { parseConfig } from "../../src/config/load.ts";
import { createAuthority, testWithOpenssl } from "../support/certificates.ts";
import { tempFolder } from "../support/temp.ts";

function config({ tls = "", caller = "", destination = "" }: Record<string, string>): string {
  return `
node: { aeTitle: ISOCENTER, dataDir: data }
dicom:
  listen: { host: 0.0.0.0 }
  callers: [{ aeTitle: CT1, from: "*"${caller} }]
${tls}
destinations: { pacs: { aeTitle: PACS, host: 10.0.0.1, port: 104${destination} } }
`;
}

function problemsOf(text: string): readonly string[] {
  const loaded = parseConfig(text, "/etc/isocenter/node.yaml");
  return loaded.kind === "ok" ? [] : loaded.problems.map(({ message }) => message);
}

test("TLS files are seen from the config file; what is not written has its default", () => {
  const text = config({
    tls: "  tls: { cert: tls/cert.pem, key: /run/key.pem, ca: ca.pem }",
    caller: ", certificate: ct1.hospital",
    destination: ", tls: { ca: ca.pem, serverName: pacs.hospital }",
  });
  const loaded = parseConfig(text, "/etc/isocenter/node.yaml");
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join());
  expect(loaded.config.dicom.tls).toEqual({
    host: "127.0.0.1",
    port: 2762,
    mutual: true,
    handshakeMs: 10_000,
    files: { cert: "/etc/isocenter/tls/cert.pem", key: "/run/key.pem", ca: "/etc/isocenter/ca.pem" },
  });
  expect(loaded.config.destinations.get("pacs")?.tls).toEqual({
    files: { ca: "/etc/isocenter/ca.pem" },
    serverName: "pacs.hospital",
  });
});

test.each([
  [
    "mutual without authorities",
    { tls: "  tls: { cert: a, key: b }" },
    "dicom.tls: ca is missing: the authorities whose certificates callers may show; or mutual: false",
  ],
  [
    "one port for both",
    { tls: "  tls: { cert: a, key: b, ca: c, port: 11112 }" },
    "dicom.tls.port: is the port of dicom.listen; TLS needs its own",
  ],
  [
    "a caller's certificate that nobody asks for",
    { tls: "  tls: { cert: a, key: b, mutual: false }", caller: ", certificate: ct1" },
    "dicom.callers[0].certificate: nobody is asked for a certificate: dicom.tls with mutual is needed",
  ],
  [
    "a certificate without its key",
    { destination: ", tls: { ca: a, cert: b }" },
    "destinations.pacs.tls.cert: needs key beside it",
  ],
  [
    "a key without its certificate",
    { destination: ", tls: { ca: a, key: b }" },
    "destinations.pacs.tls.key: needs cert beside it",
  ],
])("%s is a problem", (_, parts, message) => {
  expect(problemsOf(config(parts))).toEqual([message]);
});

test("our own TLS listener is no destination", () => {
  const text = config({ tls: "  tls: { host: 0.0.0.0, cert: a, key: b, mutual: false }" })
    .replace("10.0.0.1", "localhost")
    .replace("port: 104", "port: 2762");
  expect(problemsOf(text)).toEqual([
    "destinations.pacs.port: localhost:2762 is this node's own listener; results would come back as new series",
  ]);
});

testWithOpenssl("check looks into the TLS files, and says all that is wrong with them", async () => {
  await using folder = await tempFolder();
  const authority = await createAuthority(folder.path);
  const [one, two] = [await authority.issue("one"), await authority.issue("two")];
  const path = join(folder.path, "node.yaml");
  const run = async (tls: string, destination: string): Promise<readonly [number, readonly string[]]> => {
    const lines: string[] = [];
    await writeFile(path, config({ tls: `  tls: { ${tls} }`, destination: `, tls: { ${destination} }` }));
    return [await check(path, (line) => lines.push(line)), lines];
  };
  const good = `cert: ${one.cert}, key: ${one.key}, ca: ${authority.ca}`;
  expect(await run(good, `ca: ${authority.ca}`)).toEqual([
    0,
    expect.arrayContaining(["  listens       with TLS on 127.0.0.1:2762"]),
  ]);
  expect(await run(`cert: ${one.cert}, key: ${two.key}, ca: ${authority.ca}`, "ca: gone.pem")).toEqual([
    1,
    [
      `${path}: dicom.tls: certificate and key do not belong together`,
      `${path}: destinations.pacs.tls.ca: ${join(folder.path, "gone.pem")}: there is no such file`,
    ],
  ]);
});
