/** TLS on both roles, between our own two ends and against hand-made peers: who gets in, and what each failure is called. */
import { once } from "node:events";
import { copyFile, writeFile } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { type ConnectionOptions, connect, createServer } from "node:tls";
import { expect, onTestFinished } from "vitest";
import { Credentials, type TlsFiles } from "../../src/association/credentials.ts";
import { associate, type RequestorAssociation } from "../../src/association/scu.ts";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { SOP_CLASS, TRANSFER_SYNTAX } from "../../src/dicom/constants.ts";
import { type Authority, createAuthority, testWithOpenssl as test } from "../support/certificates.ts";
import { HandClock } from "../support/clock.ts";
import { RawPeer } from "../support/raw-peer.ts";
import { tempFolder } from "../support/temp.ts";
import { aeTitle, Keeper, type Overrides, startScp, type TestScp } from "./keeper.ts";

interface Place extends AsyncDisposable {
  readonly path: string;
  readonly authority: Authority;
}

async function place(): Promise<Place> {
  const folder = await tempFolder();
  const authority = await createAuthority(folder.path);
  return { path: folder.path, authority, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

interface Calling {
  readonly host?: string;
  readonly serverName?: string;
  readonly connectTimeoutMs?: number;
}

async function call(port: number, files: TlsFiles, options: Calling = {}): Promise<RequestorAssociation> {
  const credentials = await Credentials.open(files, "test", { log: silentLog, clock: systemClock });
  onTestFinished(() => credentials[Symbol.dispose]());
  const { host = "127.0.0.1", serverName } = options;
  return associate(
    {
      aeTitle: aeTitle("ISOCENTER"),
      host,
      port,
      tls: { credentials, ...(serverName !== undefined && { serverName }) },
    },
    {
      callingAeTitle: aeTitle("CT1"),
      contexts: [
        {
          abstractSyntax: SOP_CLASS.VERIFICATION,
          transferSyntaxes: [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN],
        },
      ],
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      answerTimeoutMs: 10_000,
    },
  );
}

async function secureScp(
  authority: Authority,
  {
    tls,
    ...overrides
  }: Omit<Overrides, "tls"> & { tls?: { mutual?: boolean; handshakeMs?: number; crl?: string } } = {},
): Promise<TestScp> {
  const { crl, ...rest } = tls ?? {};
  const files = {
    ...(await authority.issue("isocenter")),
    ca: authority.ca,
    ...(crl !== undefined && { crl }),
  };
  return startScp(new Keeper(), { ...overrides, tls: { files, ...rest } });
}

test("a peer with a certificate of our authority is served on the TLS port, anybody on the plain one", async () => {
  await using here = await place();
  await using scp = await secureScp(here.authority);
  const files = { ...(await here.authority.issue("ct1")), ca: here.authority.ca };
  await using association = await call(scp.tlsPort, files);
  expect(await association.echo()).toBe(0);
  const plain = await RawPeer.connect(scp.port);
  plain.destroy();
});

test.each([
  ["none", async () => ({}), "TLS: the peer has shown no certificate"],
  [
    "one of an authority nobody knows",
    async (here: Place) => (await createAuthority(here.path, "Other CA")).issue("ct1"),
    "TLS: the peer's certificate is of an authority that is not in ca",
  ],
  [
    "one that has expired",
    (here: Place) => here.authority.issue("ct1", { days: -1 }),
    "TLS: the peer's certificate has expired",
  ],
  [
    "one that is for servers only",
    (here: Place) => here.authority.issue("ct1", { purpose: "serverAuth" }),
    "TLS: the peer's certificate is for another purpose",
  ],
])("a caller that shows %s gets no association, and the log says why", async (_, pair, reason) => {
  await using here = await place();
  await using scp = await secureScp(here.authority);
  const said = scp.said("connection.tls-failed");
  const files = { ...(await pair(here)), ca: here.authority.ca };
  await expect(call(scp.tlsPort, files)).rejects.toMatchObject({ code: "ASSOCIATION_FAILED" });
  expect(await said).toMatchObject({ peer: "127.0.0.1", reason });
});

test("a certificate that was revoked gets no association", async () => {
  await using here = await place();
  const [good, bad] = [await here.authority.issue("ct1"), await here.authority.issue("ct2")];
  await using scp = await secureScp(here.authority, { tls: { crl: await here.authority.revoke(bad) } });
  const said = scp.said("connection.tls-failed");
  const { ca } = here.authority;
  await expect(call(scp.tlsPort, { ...bad, ca })).rejects.toMatchObject({ code: "ASSOCIATION_FAILED" });
  expect(await said).toMatchObject({ reason: "TLS: the peer's certificate is revoked" });
  await using association = await call(scp.tlsPort, { ...good, ca });
  expect(await association.echo()).toBe(0);
});

test("without mutual a caller needs no certificate", async () => {
  await using here = await place();
  await using scp = await secureScp(here.authority, { tls: { mutual: false } });
  await using association = await call(scp.tlsPort, { ca: here.authority.ca });
  expect(await association.echo()).toBe(0);
});

test.each<[string, ConnectionOptions]>([
  ["TLS 1.1", { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" }],
  ["RSA key exchange", { maxVersion: "TLSv1.2", ciphers: "AES128-GCM-SHA256" }],
  ["CBC", { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA" }],
  ["finite-field Diffie-Hellman", { maxVersion: "TLSv1.2", ciphers: "DHE-RSA-AES128-GCM-SHA256" }],
  ["no encryption", { maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0" }],
])("a caller that only knows %s gets no association", async (_, options) => {
  await using here = await place();
  await using scp = await secureScp(here.authority, { tls: { mutual: false } });
  const said = scp.said("connection.tls-failed");
  const socket = connect({ port: scp.tlsPort, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  await expect(once(socket, "secureConnect")).rejects.toThrow();
  expect((await said).reason).toMatch(/^TLS: no common (version|cipher suite)$/);
});

test.each(["TLSv1.2", "TLSv1.3"] as const)("%s is spoken, 1.3 where both can", async (version) => {
  await using here = await place();
  await using scp = await secureScp(here.authority, { tls: { mutual: false } });
  const maxVersion = version === "TLSv1.2" ? version : undefined;
  const socket = connect({
    port: scp.tlsPort,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ...(maxVersion && { maxVersion }),
  });
  await once(socket, "secureConnect");
  expect(socket.getProtocol()).toBe(version);
  expect(socket.getCipher().name).toMatch(/GCM/);
  socket.destroy();
});

test("a plain association on the TLS port is refused, and TLS on the plain port, too", async () => {
  await using here = await place();
  await using scp = await secureScp(here.authority);
  const said = scp.said("connection.tls-failed");
  const plain = await RawPeer.connect(scp.tlsPort);
  plain.send(Buffer.from([1, 0, 0, 0, 0, 68]), Buffer.alloc(68));
  await plain.closed;
  expect(await said).toMatchObject({ reason: "TLS: the peer does not speak it" });
  await expect(call(scp.port, { ca: here.authority.ca })).rejects.toMatchObject({
    code: "ASSOCIATION_FAILED",
    message: expect.stringContaining("TLS: "),
  });
});

test("a handshake that trickles is given up in time, and others are served meanwhile", async () => {
  await using here = await place();
  await using scp = await secureScp(here.authority, { tls: { handshakeMs: 400 } });
  const said = scp.said("connection.tls-failed");
  const slow = Array.from({ length: 40 }, () => connectTcp({ port: scp.tlsPort, host: "127.0.0.1" }));
  const ended = Promise.all(slow.map((socket) => once(socket.on("error", () => {}).resume(), "close")));
  const trickle = setInterval(() => {
    for (const socket of slow) if (socket.writable) socket.write(Buffer.from([0x16]));
  }, 50);
  const files = { ...(await here.authority.issue("ct1")), ca: here.authority.ca };
  await using association = await call(scp.tlsPort, files);
  expect(await association.echo()).toBe(0);
  expect((await said).reason).toMatch(/no handshake within 400 ms|does not speak it/);
  await ended;
  clearInterval(trickle);
});

test("a silent connection is given up by the handshake's limit", async () => {
  await using here = await place();
  await using scp = await secureScp(here.authority, { tls: { handshakeMs: 200 } });
  const said = scp.said("connection.tls-failed");
  const socket = connectTcp({ port: scp.tlsPort, host: "127.0.0.1" });
  await once(socket.on("error", () => {}).resume(), "close");
  expect(await said).toMatchObject({ reason: "TLS: no handshake within 200 ms" });
});

test("a stop does not wait for handshakes", async () => {
  await using here = await place();
  const scp = await secureScp(here.authority, { tls: { handshakeMs: 60_000 } });
  const socket = connectTcp({ port: scp.tlsPort, host: "127.0.0.1" });
  await once(socket, "connect");
  const closed = once(socket.on("error", () => {}).resume(), "close");
  await scp[Symbol.asyncDispose]();
  await closed;
});

test.each([
  ["ct1", "ct1.hospital", "known"],
  ["another", "ct1.hospital", "known"],
  ["ct1.hospital", "elsewhere", "known"],
  ["ct2", "ct2.hospital", "wrong certificate"],
  ["ct2", "*.hospital", "wrong certificate"],
])("a caller entry with a certificate name: subject %s, name %s is %s", async (subject, name, outcome) => {
  await using here = await place();
  const callers = [{ aeTitle: aeTitle("CT1"), from: "*", certificate: "ct1.hospital" }];
  await using scp = await secureScp(here.authority, { callers });
  const pair = await here.authority.issue(subject, { names: `DNS:${name}` });
  const calling = call(scp.tlsPort, { ...pair, ca: here.authority.ca });
  if (outcome === "known") {
    await (await calling)[Symbol.asyncDispose]();
    return;
  }
  await expect(calling).rejects.toMatchObject({ code: "ASSOCIATION_REJECTED_PERMANENT" });
  expect(scp.lines).toContainEqual(expect.objectContaining({ reason: `calling AE: ${outcome}` }));
});

test("who is known by its certificate is refused on the plain port", async () => {
  await using here = await place();
  const callers = [{ aeTitle: aeTitle("CT1"), from: "*", certificate: "ct1.hospital" }];
  await using scp = await secureScp(here.authority, { callers });
  const contexts = [
    { abstractSyntax: SOP_CLASS.VERIFICATION, transferSyntaxes: [TRANSFER_SYNTAX.IMPLICIT_VR_LITTLE_ENDIAN] },
  ];
  await expect(
    associate(
      { aeTitle: aeTitle("ISOCENTER"), host: "127.0.0.1", port: scp.port },
      { callingAeTitle: aeTitle("CT1"), contexts, connectTimeoutMs: 10_000, answerTimeoutMs: 10_000 },
    ),
  ).rejects.toMatchObject({ code: "ASSOCIATION_REJECTED_PERMANENT" });
  expect(scp.lines).toContainEqual(expect.objectContaining({ reason: "calling AE: no certificate" }));
});

/** A TLS server that counts what reaches it behind the handshake. */
async function destination(
  files: { readonly cert: string; readonly key: string },
  options: Parameters<typeof createServer>[0] = {},
): Promise<AsyncDisposable & { readonly port: number; readonly bytes: () => number }> {
  const { readFile } = await import("node:fs/promises");
  let bytes = 0;
  const server = createServer(
    { cert: await readFile(files.cert), key: await readFile(files.key), ...options },
    (socket) => socket.on("error", () => {}).on("data", (chunk) => void (bytes += chunk.length)),
  );
  server.on("tlsClientError", () => {}).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    port,
    bytes: () => bytes,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}

test.each<[string, (here: Place) => Promise<{ cert: string; key: string }>, string]>([
  [
    "has expired",
    ({ authority }) => authority.issue("pacs", { days: -1 }),
    "TLS: the peer's certificate has expired",
  ],
  [
    "is of another name",
    ({ authority }) => authority.issue("pacs", { names: "DNS:elsewhere" }),
    "TLS: the peer's certificate is of another name",
  ],
  [
    "is of an authority nobody knows",
    async ({ path }) => (await createAuthority(path, "Other CA")).issue("pacs"),
    "TLS: the peer's certificate is of an authority that is not in ca",
  ],
  [
    "is for clients only",
    ({ authority }) => authority.issue("pacs", { purpose: "clientAuth" }),
    "TLS: the peer's certificate is for another purpose",
  ],
])(
  "a destination whose certificate %s gets not one byte, and the error says why",
  async (_, issue, reason) => {
    await using here = await place();
    await using server = await destination(await issue(here));
    await expect(call(server.port, { ca: here.authority.ca })).rejects.toMatchObject({
      code: "ASSOCIATION_FAILED",
      message: expect.stringContaining(reason),
    });
    expect(server.bytes()).toBe(0);
  },
);

test("a destination that only knows TLS 1.1 gets not one byte", async () => {
  await using here = await place();
  await using server = await destination(await here.authority.issue("pacs"), {
    minVersion: "TLSv1.1",
    maxVersion: "TLSv1.1",
    ciphers: "DEFAULT:@SECLEVEL=0",
  });
  await expect(call(server.port, { ca: here.authority.ca })).rejects.toMatchObject({
    message: expect.stringContaining("TLS: no common version"),
  });
  expect(server.bytes()).toBe(0);
});

test("a destination may be known by another name than its address", async () => {
  await using here = await place();
  const pair = await here.authority.issue("isocenter", { names: "DNS:pacs.hospital" });
  await using scp = await startScp(new Keeper(), { tls: { files: pair, mutual: false } });
  const { ca } = here.authority;
  await expect(call(scp.tlsPort, { ca })).rejects.toThrow("of another name");
  await using association = await call(scp.tlsPort, { ca }, { serverName: "pacs.hospital" });
  expect(await association.echo()).toBe(0);
});

test("a destination that does not shake hands is given up in time", async () => {
  await using here = await place();
  const server = (await import("node:net")).createServer((socket) => socket.on("error", () => {}).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await expect(call(port, { ca: here.authority.ca }, { connectTimeoutMs: 200 })).rejects.toThrow(
    "no TLS connection within 200 ms",
  );
  server.close();
});

const system = () => {
  const lines: (readonly [string, object])[] = [];
  const note = (event: string, fields: object): void => void lines.push([event, fields]);
  return {
    lines,
    log: { debug: note, info: note, warn: note, error: note },
    clock: new HandClock(Date.now()),
  };
};

test("new files are taken up without a restart; those that are no good change nothing and are said once", async () => {
  await using here = await place();
  const [first, second] = [await here.authority.issue("one"), await here.authority.issue("two")];
  const files = { cert: join(here.path, "cert.pem"), key: join(here.path, "key.pem") };
  await copyFile(first.cert, files.cert);
  await copyFile(first.key, files.key);
  const { lines, log, clock } = system();
  using credentials = await Credentials.open(files, "dicom.tls", { log, clock });
  const before = credentials.material.cert;

  await copyFile(second.cert, files.cert); // its key is not there yet
  await credentials.reload();
  await credentials.reload();
  expect(credentials.material.cert).toBe(before);
  const reason = "dicom.tls: certificate and key do not belong together";
  expect(lines.filter(([event]) => event === "tls.reload-failed")).toEqual([
    ["tls.reload-failed", { setting: "dicom.tls", reason }],
  ]);

  await copyFile(second.key, files.key);
  clock.advance(30_000);
  await expect.poll(() => lines.at(-2)?.[0]).toBe("tls.reloaded");
  expect(credentials.material.cert).not.toEqual(before);
});

test("the listener shows the new certificate to the next caller, and keeps those who are there", async () => {
  await using here = await place();
  const [first, second] = [await here.authority.issue("one"), await here.authority.issue("two")];
  const files = { cert: join(here.path, "cert.pem"), key: join(here.path, "key.pem") };
  const use = async (pair: { cert: string; key: string }): Promise<void> => {
    await copyFile(pair.cert, files.cert);
    await copyFile(pair.key, files.key);
  };
  await use(first);
  await using scp = await startScp(new Keeper(), { tls: { files, mutual: false } });
  const subject = async (): Promise<unknown> => {
    const socket = connect({ port: scp.tlsPort, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return subject.CN;
  };
  await using early = await call(scp.tlsPort, { ca: here.authority.ca });
  expect(await subject()).toBe("one");
  await use(second);
  await scp.reloadCertificates();
  expect(await subject()).toBe("two");
  expect(await early.echo()).toBe(0);
  await writeFile(files.cert, "nonsense");
  await scp.reloadCertificates();
  expect(await subject()).toBe("two");
});

test.each<[string, (here: Place) => Promise<TlsFiles>, string]>([
  [
    "is not there",
    async () => ({ ca: "/nowhere/ca.pem" }),
    "dicom.tls.ca: /nowhere/ca.pem: there is no such file",
  ],
  [
    "is no certificate",
    async ({ path }) => {
      await writeFile(join(path, "cert.pem"), "hello");
      return { cert: join(path, "cert.pem") };
    },
    "cert.pem: no PEM text in it",
  ],
  [
    "holds no authority",
    async ({ path, authority }) => {
      await writeFile(join(path, "ca.pem"), "hello");
      return { ...(await authority.issue("one")), ca: join(path, "ca.pem") };
    },
    "ca.pem: no certificate in it",
  ],
])("a file that %s is named with the setting and the reason", async (_, files, message) => {
  await using here = await place();
  const { log, clock } = system();
  await expect(Credentials.open(await files(here), "dicom.tls", { log, clock })).rejects.toMatchObject({
    code: "TLS_FILES_UNUSABLE",
    message: expect.stringContaining(message),
  });
});

test("a certificate that ends within thirty days is said, once a day", async () => {
  await using here = await place();
  const pair = await here.authority.issue("one", { days: 10 });
  const { lines, log, clock } = system();
  using credentials = await Credentials.open(pair, "dicom.tls", { log, clock });
  expect(credentials.material.key).toBeDefined();
  const said = () => lines.filter(([event]) => event === "tls.certificate-ends").length;
  expect(lines).toEqual([["tls.certificate-ends", { setting: "dicom.tls", daysLeft: 9 }]]);
  await credentials.reload();
  expect(said()).toBe(1);
  clock.advance(86_400_000);
  await credentials.reload();
  expect(said()).toBe(2);
});
