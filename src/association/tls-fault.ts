/**
 * Why a TLS handshake failed, in words: the codes of node:tls, of certificate checks and of alerts. Pure.
 */

/** @returns  undefined for an error that has nothing to do with TLS */
export function tlsFaultOf(code: string | undefined): string | undefined {
  if (code === undefined) return undefined;
  const known = FAULTS[code.replace(/^ERR_SSL_((TLSV1|TLSV13|SSLV3)_)?/, "")];
  if (known !== undefined) return `TLS: ${known}`;
  return /^ERR_(SSL|TLS)_/.test(code) ? `TLS: ${code}` : undefined;
}

const UNKNOWN_AUTHORITY = "the peer's certificate is of an authority that is not in ca";

const FAULTS: Readonly<Record<string, string>> = {
  // What this side finds in the peer's certificate (OpenSSL's X509_V_ERR names).
  CERT_HAS_EXPIRED: "the peer's certificate has expired",
  CERT_NOT_YET_VALID: "the peer's certificate is not yet valid",
  CERT_REVOKED: "the peer's certificate is revoked",
  INVALID_PURPOSE: "the peer's certificate is for another purpose",
  UNABLE_TO_GET_CRL: "no revocation list of the authority of the peer's certificate",
  CRL_HAS_EXPIRED: "the revocation list has expired",
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID: "the peer's certificate is of another name",
  PEER_DID_NOT_RETURN_A_CERTIFICATE: "the peer has shown no certificate",

  // No agreement.
  UNSUPPORTED_PROTOCOL: "no common version",
  UNKNOWN_PROTOCOL: "no common version",
  VERSION_TOO_LOW: "no common version",
  ALERT_PROTOCOL_VERSION: "no common version",
  NO_SHARED_CIPHER: "no common cipher suite",
  NO_SUITABLE_SIGNATURE_ALGORITHM: "no common signature algorithm",
  NO_SUITABLE_KEY_SHARE: "no common key exchange",
  ALERT_HANDSHAKE_FAILURE: "the peer finds nothing in common, or no certificate of ours",
  ALERT_INSUFFICIENT_SECURITY: "the peer wants stronger cipher suites",
  EE_KEY_TOO_SMALL: "the peer's key is too short",
  CA_KEY_TOO_SMALL: "the key of an authority is too short",
  CA_MD_TOO_WEAK: "a certificate's signature is too weak",

  // What the peer finds in ours.
  ALERT_UNKNOWN_CA: "the peer does not know the authority of our certificate",
  ALERT_BAD_CERTIFICATE: "the peer does not take our certificate",
  ALERT_CERTIFICATE_EXPIRED: "the peer finds our certificate expired",
  ALERT_CERTIFICATE_REVOKED: "the peer finds our certificate revoked",
  ALERT_CERTIFICATE_UNKNOWN: "the peer does not take our certificate",
  ALERT_UNSUPPORTED_CERTIFICATE: "the peer does not take certificates such as ours",
  ALERT_CERTIFICATE_REQUIRED: "the peer wants a certificate of ours",
  ALERT_ACCESS_DENIED: "the peer denies access",
  ALERT_DECRYPT_ERROR: "the peer cannot verify our certificate",

  // No TLS at all.
  WRONG_VERSION_NUMBER: "the peer does not speak it",
  HTTP_REQUEST: "the peer does not speak it",
  HTTPS_PROXY_REQUEST: "the peer does not speak it",
  PACKET_LENGTH_TOO_LONG: "the peer does not speak it",
  BAD_RECORD_TYPE: "the peer does not speak it",
  RECORD_LAYER_FAILURE: "the peer does not speak it",
};
