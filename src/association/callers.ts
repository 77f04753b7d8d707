/**
 * Who may call: AE titles with the addresses they call from. Pure.
 *
 * An AE title is 16 characters in clear that the caller chooses; it proves nothing alone. So each entry names the
 * address too, and "*", for either, has to be written out. Where an entry names a certificate, only a peer that has
 * shown it under TLS is meant.
 */
import { BlockList, isIP } from "node:net";
import { NodeError } from "../base/errors.ts";
import type { AeTitle } from "../dicom/ae-title.ts";
import type { PeerCertificate } from "./peer-certificate.ts";

export interface Caller {
  readonly aeTitle: AeTitle | "*";
  /** An IPv4 or IPv6 address, a network in CIDR notation, or "*". */
  readonly from: string;
  /** A name in the certificate it has to show. */
  readonly certificate?: string;
}

export type CallerCheck = (
  aeTitle: string,
  address: string,
  certificate?: PeerCertificate,
) => "known" | "unknown title" | "wrong address" | "no certificate" | "wrong certificate";

/** @throws NodeError CONFIG_INVALID if an entry's address is none */
export function callerCheck(callers: readonly Caller[]): CallerCheck {
  const entries = callers.map(({ from, ...entry }) => ({ ...entry, isFrom: addressCheck(from) }));
  return (aeTitle, address, certificate) => {
    const titled = entries.filter((entry) => entry.aeTitle === "*" || entry.aeTitle === aeTitle);
    if (titled.length === 0) return "unknown title";
    const here = titled.filter(({ isFrom }) => isFrom(address));
    if (here.length === 0) return "wrong address";
    const isMeant = (name: string | undefined): boolean => name === undefined || !!certificate?.isOf(name);
    if (here.some((entry) => isMeant(entry.certificate))) return "known";
    return certificate ? "wrong certificate" : "no certificate";
  };
}

/** The one spelling of a peer's address: IPv4 that came over an IPv6 socket is IPv4; no zone. */
export function plainAddress(address: string): string {
  const plain = address.replace(/%.*$/, "");
  const mapped = plain.replace(/^::ffff:/i, "");
  return isIP(mapped) === 4 ? mapped : plain;
}

function addressCheck(from: string): (address: string) => boolean {
  if (from === "*") return () => true;
  const [network = "", prefix, ...more] = from.split("/");
  const version = isIP(network);
  const longest = version === 6 ? 128 : 32;
  const length = prefix === undefined ? longest : Number(prefix);
  if (version === 0 || more.length > 0 || !/^\d+$/.test(prefix ?? "0") || length > longest) {
    throw new NodeError("CONFIG_INVALID", `Caller address ${from}: neither an address nor a network`);
  }
  const list = new BlockList();
  list.addSubnet(network, length, version === 6 ? "ipv6" : "ipv4");
  return (address) => list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}
