import { once } from "node:events";
import { appendFile, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { openAudit } from "../../src/ops/audit/audit.ts";
import { auditMessage } from "../../src/ops/audit/message.ts";
import { Trail, trailFiles, verifyTrail } from "../../src/ops/audit/trail.ts";
import { createAuthority, type Pair, testWithOpenssl } from "../support/certificates.ts";
import { tempFolder } from "../support/temp.ts";

const SOURCE = { aeTitle: "ISOCENTER", site: 'St. "Anna" & Co' };
const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const SETTINGS = { fileBytes: 1024 * 1024, files: 10 };
const system = { log: silentLog, onWritten: () => {} };

const message = (event: string, fields: object = {}): string | undefined =>
  auditMessage({ level: "info", event, fields }, AT, SOURCE);

// Written out by hand from the tables of PS3.15 A.5.3.
test("a start of the node is an Application Activity", () => {
  expect(message("node.started")).toBe(
    '<AuditMessage><EventIdentification EventActionCode="E" EventDateTime="2026-01-02T03:04:05.678Z" ' +
      'EventOutcomeIndicator="0"><EventID csd-code="110100" codeSystemName="DCM" originalText="Application Activity"/>' +
      '<EventTypeCode csd-code="110120" codeSystemName="DCM" originalText="Application Start"/></EventIdentification>' +
      '<ActiveParticipant UserID="ISOCENTER" AlternativeUserID="AETITLES=ISOCENTER" UserIsRequestor="false">' +
      '<RoleIDCode csd-code="110150" codeSystemName="DCM" originalText="Application"/></ActiveParticipant>' +
      '<AuditSourceIdentification AuditSourceID="ISOCENTER" AuditEnterpriseSiteID="St. &quot;Anna&quot; &amp; Co">' +
      '<AuditSourceTypeCode csd-code="4"/></AuditSourceIdentification></AuditMessage>',
  );
});

test("a series that came names who sent it, to whom, which study and how many instances", () => {
  const xml = message("series.complete", {
    studyUid: "1.2.3",
    instances: 30,
    callingAeTitle: "CBCT1",
    peer: "10.20.1.7",
  });
  expect(xml).toContain('csd-code="110104"');
  expect(xml).toContain('EventActionCode="C"');
  expect(xml).toMatch(
    /UserID="CBCT1" AlternativeUserID="AETITLES=CBCT1" UserIsRequestor="true" NetworkAccessPointID="10.20.1.7"[^>]*><RoleIDCode csd-code="110153"/,
  );
  expect(xml).toMatch(/UserID="ISOCENTER"[^>]*><RoleIDCode csd-code="110152"/);
  expect(xml).toMatch(/ParticipantObjectID="1\.2\.3".*<SOPClass NumberOfInstances="30"\/>/);
});

test.each([
  ["association.rejected", "110113", 8],
  ["connection.tls-failed", "110113", 8],
  ["delivery.done", "110104", 0],
  ["delivery.postponed", "110104", 4],
  ["delivery.held", "110104", 8],
  ["http.login", "110114", 0],
  ["http.login-refused", "110114", 8],
  ["node.stopping", "110100", 0],
])("%s is event %s with outcome %i", (event, id, outcome) => {
  const xml = message(event, { studyUid: "1.2.3", user: "ann", reason: "why" });
  expect(xml).toContain(`<EventID csd-code="${id}"`);
  expect(xml).toContain(`EventOutcomeIndicator="${outcome}"`);
});

test("what is no business of the audit makes no message; a foreign text cannot break one", () => {
  expect(message("volume.built")).toBeUndefined();
  const xml = message("association.rejected", { callingAeTitle: 'A"><x>&\n\u0000' });
  expect(xml).toContain('UserID="A&quot;&gt;&lt;x&gt;&amp; "');
  expect(xml).not.toMatch(/\p{Cc}/u);
});

async function written(folder: string, ...messages: readonly string[]): Promise<void> {
  await using trail = await Trail.open({ folder, ...SETTINGS }, system);
  for (const one of messages) trail.add(one);
}

test("messages are kept over restarts, in one chain that only their owner can read", async () => {
  await using folder = await tempFolder();
  await written(folder.path, "<a/>", "<b/>");
  await written(folder.path, "<c/>");
  expect(await verifyTrail(folder.path)).toMatchObject({
    kind: "whole",
    lines: 3,
    first: 1,
    last: { sequence: 3 },
  });
  const [path = ""] = await trailFiles(folder.path);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test.each([
  ["changed", (lines: string[]) => lines.splice(1, 1, lines[1]!.replace("<b/>", "<x/>")), 2],
  ["removed", (lines: string[]) => lines.splice(1, 1), 2],
  ["inserted again", (lines: string[]) => lines.splice(1, 0, lines[0]!), 2],
  ["put in another order", (lines: string[]) => lines.reverse(), 1],
] as const)("a line that was %s is found", async (_, change, line) => {
  await using folder = await tempFolder();
  await written(folder.path, "<a/>", "<b/>", "<c/>");
  const [path = ""] = await trailFiles(folder.path);
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  change(lines);
  await writeFile(path, `${lines.join("\n")}\n`);
  const verified = await verifyTrail(folder.path);
  expect(verified.kind).toBe("broken");
  if (line > 1) expect(verified).toMatchObject({ line });
});

test("a line that a crash left half is cut off, and the chain goes on", async () => {
  await using folder = await tempFolder();
  await written(folder.path, "<a/>");
  const [path = ""] = await trailFiles(folder.path);
  await appendFile(path, "2 0123456789abc");
  await written(folder.path, "<b/>");
  expect(await verifyTrail(folder.path)).toMatchObject({ kind: "whole", lines: 2 });
});

test("a file that has grown is followed by another; the oldest go, and what is left is whole", async () => {
  await using folder = await tempFolder();
  const small = { folder: folder.path, fileBytes: 1000, files: 3 };
  for (let round = 0; round < 20; round++) {
    await using trail = await Trail.open(small, system);
    for (let at = 0; at < 4; at++) trail.add(`<message n="${round}.${at}" text="${"x".repeat(100)}"/>`);
  }
  expect(await readdir(folder.path)).toHaveLength(3);
  const verified = await verifyTrail(folder.path);
  expect(verified).toMatchObject({ kind: "whole", last: { sequence: 80 } });
  expect(verified.kind === "whole" && verified.first).toBeGreaterThan(60);
});

/** Takes what comes in the framing of RFC 5425 and checks it. */
async function collector(pair: Pair, port = 0) {
  const [cert, key] = await Promise.all([readFile(pair.cert), readFile(pair.key)]);
  const sockets = new Set<TLSSocket>();
  const messages: string[] = [];
  const server = createServer({ cert, key }, (socket) => {
    sockets.add(socket);
    let rest = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const blank = rest.indexOf(0x20);
        const length = blank < 0 ? Number.NaN : Number(rest.subarray(0, blank).toString());
        if (!(rest.length >= blank + 1 + length)) return;
        messages.push(rest.subarray(blank + 1, blank + 1 + length).toString());
        rest = rest.subarray(blank + 1 + length);
      }
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    messages,
    port: typeof address === "object" && address ? address.port : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

testWithOpenssl("a collector gets every message, those too that were written while it was away", async () => {
  await using folder = await tempFolder();
  const authority = await createAuthority(folder.path);
  const pair = await authority.issue("collector", { names: "DNS:localhost" });
  const first = await collector(pair);
  const { port } = first;
  const settings = { ...SOURCE, ...SETTINGS, syslog: { host: "localhost", port, ca: authority.ca } };
  await using audit = await openAudit(folder.path, settings, { log: silentLog, clock: systemClock });
  audit.observe({ level: "info", event: "node.started", fields: {} });
  await expect.poll(() => first.messages.length, { timeout: 5000 }).toBe(1);
  expect(first.messages[0]).toMatch(
    /^<109>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ isocenter \d+ DICOM\+RFC3881 - \uFEFF<AuditMessage>.*<\/AuditMessage>$/,
  );
  await first[Symbol.asyncDispose]();
  for (let at = 0; at < 30; at++)
    audit.observe({ level: "info", event: "http.login", fields: { user: `user${at}` } });
  await using second = await collector(pair, port);
  const seen = (): number => new Set(second.messages.map((one) => /UserID="(user\d+)"/.exec(one)?.[1])).size;
  await expect.poll(seen, { timeout: 15_000 }).toBeGreaterThanOrEqual(30);
});

testWithOpenssl("a collector that another authority vouches for gets nothing", async () => {
  await using folder = await tempFolder();
  const [ours, theirs] = [await createAuthority(folder.path), await createAuthority(folder.path, "Other CA")];
  await using server = await collector(await theirs.issue("collector", { names: "DNS:localhost" }));
  const warned = Promise.withResolvers<void>();
  const log = {
    ...silentLog,
    warn: (event: string) => (event === "audit.collector-away" ? warned.resolve() : undefined),
  };
  const syslog = { host: "localhost", port: server.port, ca: ours.ca };
  await using audit = await openAudit(
    folder.path,
    { ...SOURCE, ...SETTINGS, syslog },
    { log, clock: systemClock },
  );
  audit.observe({ level: "info", event: "node.started", fields: {} });
  await warned.promise;
  expect(server.messages).toEqual([]);
});
