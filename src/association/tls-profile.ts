/**
 * What is spoken under TLS, as data: the BCP 195 RFC 8996, 9325 TLS Profile of PS3.15 B.12.
 *
 * TLS 1.3 where the peer has it, 1.2 with forward secrecy and authenticated encryption else; no finite-field
 * Diffie-Hellman, so no group can be too short. Printed by `isocenter conformance`.
 */
export const TLS_PROFILE = {
  name: "BCP 195 RFC 8996, 9325 TLS Profile (PS3.15 B.12)",
  versions: { least: "TLSv1.2", most: "TLSv1.3" },
  /** Under the names of OpenSSL, those preferred first. */
  suites: {
    "TLSv1.3": ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
    "TLSv1.2": [
      "ECDHE-ECDSA-AES128-GCM-SHA256",
      "ECDHE-RSA-AES128-GCM-SHA256",
      "ECDHE-ECDSA-AES256-GCM-SHA384",
      "ECDHE-RSA-AES256-GCM-SHA384",
    ],
  },
  curves: ["X25519", "P-256", "P-384", "P-521"],
} as const;

/** The profile as node:tls takes it. */
export const TLS_OPTIONS = {
  minVersion: TLS_PROFILE.versions.least,
  maxVersion: TLS_PROFILE.versions.most,
  ciphers: [...TLS_PROFILE.suites["TLSv1.3"], ...TLS_PROFILE.suites["TLSv1.2"]].join(":"),
  ecdhCurve: TLS_PROFILE.curves.join(":"),
} as const;
