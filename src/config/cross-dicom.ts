/**
 * What no DICOM setting can know alone: listeners, peers, their certificates, who may ask whom for commitment. Pure.
 */
import { suggestion } from "../routing/nearest.ts";
import type { Finding } from "./problems.ts";
import { LISTEN_DEFAULT, TLS_LISTEN_DEFAULT } from "./schema/dicom.ts";
import type { Path } from "./source.ts";
import { entries, type Group, group, list } from "./written.ts";

/** @param config  as written, valid or not */
export function dicomFindings(config: Group): readonly Finding[] {
  return [
    ...loops(config),
    ...tlsPairs(config),
    ...tlsListener(config),
    ...callersCertificates(config),
    ...committers(config),
    ...devices(config),
  ];
}

/** A result sent to ourselves would be a new series, and so on for ever. */
function loops(config: Group): readonly Finding[] {
  const listeners = listenersOf(config);
  return entries(config["destinations"]).flatMap(([name, { host, port }]) => {
    const isOwn = (own: Group): boolean => port === own["port"] && reaches(host, own["host"]);
    if (!listeners.some(isOwn)) return [];
    const message = `${String(host)}:${String(port)} is this node's own listener; results would come back as new series`;
    return [onValue(["destinations", name, "port"], message)];
  });
}

function listenersOf(config: Group): readonly Group[] {
  const { listen, tls } = group(config["dicom"]);
  const plain = { ...LISTEN_DEFAULT, ...group(listen) };
  return tls === undefined ? [plain] : [plain, { ...TLS_LISTEN_DEFAULT, ...group(tls) }];
}

function tlsListener(config: Group): readonly Finding[] {
  const { tls } = group(config["dicom"]);
  const [plain, secure] = listenersOf(config);
  if (tls === undefined || !plain || !secure) return [];
  const findings: Finding[] = [];
  if (secure["mutual"] !== false && !Object.hasOwn(secure, "ca")) {
    const message = "is missing: the authorities whose certificates callers may show; or mutual: false";
    findings.push({ path: ["dicom", "tls"], part: "key", message: `ca ${message}` });
  }
  if (secure["port"] === plain["port"] && plain["port"] !== 0) {
    findings.push(onValue(["dicom", "tls", "port"], "is the port of dicom.listen; TLS needs its own"));
  }
  return findings;
}

/** A certificate is of no use without its key, and a key without its certificate. */
function tlsPairs(config: Group): readonly Finding[] {
  const asked = list(group(config["dicom"])["commitment"]);
  const peers: (readonly [Path, Group])[] = [
    ...entries(config["destinations"]).map(([name, peer]) => [["destinations", name], peer] as const),
    ...asked.map((peer, at) => [["dicom", "commitment", at], group(peer)] as const),
  ];
  return peers.flatMap(([path, { tls }]) => {
    const has = (key: string): boolean => Object.hasOwn(group(tls), key);
    if (has("cert") === has("key")) return [];
    const [there, missing] = has("cert") ? ["cert", "key"] : ["key", "cert"];
    const message = `needs ${missing} beside it`;
    return [{ path: [...path, "tls", there], part: "key", message } as const];
  });
}

/** A destination may report on an association it opens; then it calls, and has to be let in. */
function committers(config: Group): readonly Finding[] {
  const callers = new Set(list(group(config["dicom"])["callers"]).map((caller) => group(caller)["aeTitle"]));
  return entries(config["destinations"]).flatMap(([name, { storageCommitment, aeTitle }]) => {
    if (storageCommitment !== true || callers.has("*") || callers.has(aeTitle)) return [];
    const message = `${String(aeTitle)} reports on associations it opens, so it has to be among dicom.callers`;
    return [onValue(["destinations", name, "storageCommitment"], message)];
  });
}

function devices(config: Group): readonly Finding[] {
  const known = Object.keys(group(config["destinations"]));
  const asked = list(group(config["dicom"])["commitment"]).map(group);
  return asked.flatMap(({ aeTitle, via }, at) => {
    const findings: Finding[] = [];
    const first = asked.findIndex((other) => other["aeTitle"] === aeTitle);
    if (first < at) {
      findings.push(onValue(["dicom", "commitment", at, "aeTitle"], `entry ${first + 1} is for it already`));
    }
    if (typeof via === "string" && !known.includes(via)) {
      const message = `there is no ${via} in destinations${suggestion(via, known)}`;
      findings.push(onValue(["dicom", "commitment", at, "via"], message));
    }
    return findings;
  });
}

function callersCertificates(config: Group): readonly Finding[] {
  const { callers, tls } = group(config["dicom"]);
  const asks = tls !== undefined && group(tls)["mutual"] !== false;
  return list(callers).flatMap((caller, at) => {
    if (asks || !Object.hasOwn(group(caller), "certificate")) return [];
    const message = "nobody is asked for a certificate: dicom.tls with mutual is needed";
    return [{ path: ["dicom", "callers", at, "certificate"], part: "key", message } as const];
  });
}

/** As far as it can be told without asking the machine for its addresses. */
function reaches(host: unknown, listening: unknown): boolean {
  if (typeof host !== "string" || typeof listening !== "string") return false;
  if (host.toLowerCase() === listening.toLowerCase()) return true;
  return isLoopback(host) && (isLoopback(listening) || listening === "0.0.0.0" || listening === "::");
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d+){3}|::1|0\.0\.0\.0|::)$/i.test(host);
}

function onValue(path: Path, message: string): Finding {
  return { path, part: "value", message };
}
