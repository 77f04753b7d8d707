/**
 * Whose certificate a peer has shown: the question is asked of the certificate, never of a text made from it.
 *
 * A name matches as the whole Common Name of the subject, or as a DNS name, IP address or e-mail address among the
 * Subject Alternative Names; wildcards match nothing, since they would name several devices.
 */
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";

export interface PeerCertificate {
  isOf(name: string): boolean;
}

/** @returns  undefined where the peer has shown none; it was verified in the handshake */
export function peerCertificateOf(socket: TLSSocket): PeerCertificate | undefined {
  const shown = socket.getPeerX509Certificate();
  if (!shown || !socket.authorized) return undefined;
  const commonName: unknown = shown.toLegacyObject().subject.CN;
  return {
    isOf(name) {
      if (commonName === name) return true;
      if (isIP(name) > 0) return shown.checkIP(name) !== undefined;
      if (name.includes("@")) return shown.checkEmail(name, { subject: "never" }) !== undefined;
      return shown.checkHost(name, { subject: "never", wildcards: false }) !== undefined;
    },
  };
}
