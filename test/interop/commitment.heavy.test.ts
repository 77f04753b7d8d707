/** Orthanc takes results, is asked to be responsible for them, and reports on an association it opens: plain and under TLS. */
import { expect } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { createAuthority } from "../support/certificates.ts";
import { hasProgram, testIf } from "../support/data.ts";
import { freePort } from "../support/free-port.ts";
import { startOrthanc } from "../support/orthanc.ts";
import { startOutgoing } from "../support/outgoing.ts";
import { tempFolder } from "../support/temp.ts";

const test = testIf(hasProgram("Orthanc") && hasProgram("openssl"), "Orthanc or openssl");

test.each([false, true])(
  "what Orthanc has taken it commits; under TLS: %s",
  async (isSecure) => {
    await using folder = await tempFolder();
    const authority = await createAuthority(folder.path);
    const [ours, theirs] = [await authority.issue("isocenter"), await authority.issue("orthanc")];
    const [port, tlsPort] = [await freePort(), await freePort()];
    await using orthanc = await startOrthanc(folder.path, {
      DicomModalities: {
        isocenter: {
          AET: "ISOCENTER",
          Host: "127.0.0.1",
          Port: isSecure ? tlsPort : port,
          AllowStorageCommitment: true,
          UseDicomTls: isSecure,
        },
      },
      ...(isSecure && {
        DicomTlsEnabled: true,
        DicomTlsCertificate: theirs.cert,
        DicomTlsPrivateKey: theirs.key,
        DicomTlsTrustedCertificates: authority.ca,
      }),
    });
    const tls = `tls: { ca: ${authority.ca}, cert: ${ours.cert}, key: ${ours.key} }`;
    const rest = `port: ${orthanc.dicomPort}, storageCommitment: true${isSecure ? `, ${tls}` : ""}`;
    await using out = await startOutgoing(folder.path, {
      destinations: { pacs: rest },
      results: 3,
      port,
      clock: systemClock,
      ...(isSecure && {
        dicom: `  tls: { port: ${tlsPort}, cert: ${ours.cert}, key: ${ours.key}, ca: ${authority.ca} }`,
      }),
    });
    await out.journal.said("delivery.done", 3);
    await out.journal.said("commitment.done", 3);
    const rows = out.rows("SELECT state, instances FROM commitment");
    expect(rows.map(({ state }) => state)).toEqual(["done", "done", "done"]);
    expect(rows.map(({ instances }) => JSON.parse(String(instances))[0].reason)).toEqual([0, 0, 0]);
    expect(await orthanc.get("/instances")).toHaveLength(3);
    expect(out.journal.events.filter(({ level }) => level === "error")).toEqual([]);
  },
  40_000,
);
