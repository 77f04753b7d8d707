/**
 * Who may call: AE titles with the addresses they call from. Pure.
 *
 * An AE title is 16 characters in clear that the caller chooses; it proves nothing alone. So each entry names the
 * address too, and "*", for either, has to be written out.
 */
import { BlockList, isIP } from "node:net";
import { NodeError } from "../base/errors.ts";
import type { AeTitle } from "../dicom/ae-title.ts";

export interface Caller {
  readonly aeTitle: AeTitle | "*";
  /** An IPv4 or IPv6 address, a network in CIDR notation, or "*". */
  readonly from: string;
}

export type CallerCheck = (aeTitle: string, address: string) => "known" | "unknown title" | "wrong address";

/** @throws NodeError CONFIG_INVALID if an entry's address is none */
export function callerCheck(callers: readonly Caller[]): CallerCheck {
  const entries = callers.map(({ aeTitle, from }) => ({ aeTitle, isFrom: addressCheck(from) }));
  return (aeTitle, address) => {
    const titled = entries.filter((entry) => entry.aeTitle === "*" || entry.aeTitle === aeTitle);
    if (titled.length === 0) return "unknown title";
    return titled.some(({ isFrom }) => isFrom(address)) ? "known" : "wrong address";
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
