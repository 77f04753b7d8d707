import { expect, test } from "vitest";
import { parseConfig } from "../../src/config/load.ts";

function config({ pacs = "", devices = "[]", callers = "PACS" }): string {
  return `
node: { aeTitle: ISOCENTER, dataDir: data }
dicom:
  callers: [{ aeTitle: "${callers}", from: "*" }]
  commitment: ${devices}
destinations: { pacs: { aeTitle: PACS, host: 10.0.0.1, port: 104${pacs} } }
`;
}

function problemsOf(text: string): readonly string[] {
  const loaded = parseConfig(text, "/etc/isocenter/node.yaml");
  return loaded.kind === "ok" ? [] : loaded.problems.map(({ message }) => message);
}

test("a device is known by its AE title, is called by ours, and has its TLS files seen from the config file", () => {
  const devices = "[{ aeTitle: CT1, host: ct1, port: 104, via: pacs, tls: { ca: ca.pem } }]";
  const loaded = parseConfig(config({ devices }), "/etc/isocenter/node.yaml");
  if (loaded.kind === "invalid") throw new Error(loaded.problems.map(({ message }) => message).join());
  expect([...loaded.config.devices]).toEqual([
    [
      "CT1",
      {
        aeTitle: "CT1",
        callingAeTitle: "ISOCENTER",
        host: "ct1",
        port: 104,
        via: "pacs",
        tls: { files: { ca: "/etc/isocenter/ca.pem" } },
        connectTimeoutMs: 10_000,
        answerTimeoutMs: 60_000,
      },
    ],
  ]);
});

test.each([
  [
    "a destination that reports and may not call",
    { pacs: ", storageCommitment: true", callers: "CT1" },
    "destinations.pacs.storageCommitment: PACS reports on associations it opens, so it has to be among dicom.callers",
  ],
  [
    "a device named twice",
    { devices: "[{ aeTitle: CT1, host: a, port: 1 }, { aeTitle: CT1, host: b, port: 1 }]" },
    "dicom.commitment[1].aeTitle: entry 1 is for it already",
  ],
  [
    "a destination that is not there",
    { devices: "[{ aeTitle: CT1, host: a, port: 1, via: pcas }]" },
    "dicom.commitment[0].via: there is no pcas in destinations; did you mean pacs?",
  ],
  [
    "a device's key without its certificate",
    { devices: "[{ aeTitle: CT1, host: a, port: 1, tls: { ca: a, key: b } }]" },
    "dicom.commitment[0].tls.key: needs cert beside it",
  ],
])("%s is a problem", (_, parts, message) => {
  expect(problemsOf(config(parts))).toEqual([message]);
});

test.each(["*", "PACS"])("a destination that may call as %s may be asked for commitment", (callers) => {
  expect(problemsOf(config({ pacs: ", storageCommitment: true", callers }))).toEqual([]);
});
