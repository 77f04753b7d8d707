/**
 * Key, certificate and authorities of one TLS end, from files that may change while the node runs.
 *
 * Looked at again every half minute and whenever reload() is called. Files that are no good, such as a new
 * certificate whose key is not there yet, change nothing: what was read before goes on, and the reason is logged
 * once. Connections that stand keep what they began with.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import type { Clock } from "../base/clock.ts";
import { NodeError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { TLS_OPTIONS } from "./tls-profile.ts";

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly crl?: string;
}

type Material = { readonly [kind in keyof TlsFiles]: Buffer };

const KINDS = ["cert", "key", "ca", "crl"] as const satisfies readonly (keyof TlsFiles)[];
const LOOK_AGAIN_MS = 30_000;
const DAY_MS = 24 * 3_600_000;
/** A certificate with fewer days left is said once a day. */
const FEW_DAYS = 30;

export class Credentials implements Disposable {
  readonly #files: TlsFiles;
  /** For messages and log lines: the setting, such as dicom.tls. */
  readonly #of: string;
  readonly #system: { readonly log: Log; readonly clock: Clock };
  #material: Material;
  /** What was no good the last time, so that it is said once. */
  #refused: string | undefined;
  #timer: Disposable | undefined;
  #warnedAt = Number.NEGATIVE_INFINITY;
  #isDisposed = false;

  private constructor(
    files: TlsFiles,
    of: string,
    material: Material,
    system: { readonly log: Log; readonly clock: Clock },
  ) {
    this.#files = files;
    this.#of = of;
    this.#material = material;
    this.#system = system;
    this.#warnOfEnd();
    this.#lookLater();
  }

  /** @throws NodeError TLS_FILES_UNUSABLE, which names the file and what is wrong with it */
  static async open(
    files: TlsFiles,
    of: string,
    system: { readonly log: Log; readonly clock: Clock },
  ): Promise<Credentials> {
    return new Credentials(files, of, await readTlsFiles(files, of), system);
  }

  /** As node:tls takes it. */
  get material(): Material {
    return this.#material;
  }

  /** Takes up what has changed. Never rejects. */
  async reload(): Promise<void> {
    const { log } = this.#system;
    try {
      const read = await readTlsFiles(this.#files, this.#of);
      this.#refused = undefined;
      if (isSame(read, this.#material)) return;
      this.#material = read;
      this.#warnedAt = Number.NEGATIVE_INFINITY;
      log.info("tls.reloaded", { setting: this.#of });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#refused) log.error("tls.reload-failed", { setting: this.#of, reason });
      this.#refused = reason;
    } finally {
      this.#warnOfEnd();
    }
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#timer?.[Symbol.dispose]();
  }

  #lookLater(): void {
    if (this.#isDisposed) return;
    this.#timer = this.#system.clock.after(LOOK_AGAIN_MS, () => {
      void this.reload().then(() => this.#lookLater());
    });
  }

  #warnOfEnd(): void {
    const { log, clock } = this.#system;
    const { cert } = this.#material;
    if (!cert || clock.elapsed() - this.#warnedAt < DAY_MS) return;
    const daysLeft = Math.floor((certificateIn(cert).validToDate.getTime() - clock.now()) / DAY_MS);
    if (daysLeft >= FEW_DAYS) return;
    this.#warnedAt = clock.elapsed();
    log.warn("tls.certificate-ends", { setting: this.#of, daysLeft });
  }
}

/** @throws NodeError TLS_FILES_UNUSABLE */
export async function readTlsFiles(files: TlsFiles, of: string): Promise<Material> {
  const material: { -readonly [kind in keyof TlsFiles]: Buffer } = {};
  for (const kind of KINDS) {
    const path = files[kind];
    if (path === undefined) continue;
    material[kind] = await guarded(`${of}.${kind}: ${path}`, async () => {
      const bytes = await readFile(path);
      check(kind, bytes);
      return bytes;
    });
  }
  await guarded(of, async () => createSecureContext({ ...TLS_OPTIONS, ...material }));
  return material;
}

function check(kind: keyof TlsFiles, bytes: Buffer): void {
  if (kind === "key") createPrivateKey(bytes);
  if (kind === "cert") certificateIn(bytes);
  if (kind === "ca") {
    // node:tls passes over what is no certificate, and would trust fewer than were meant.
    const blocks = bytes.toString("latin1").match(CERTIFICATE) ?? [];
    if (blocks.length === 0) throw new Error("no certificate in it");
    for (const block of blocks) certificateIn(block);
  }
}

/** @throws what OpenSSL finds wrong with it */
function certificateIn(pem: Buffer | string): X509Certificate {
  return new X509Certificate(pem);
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g;

async function guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    throw new NodeError("TLS_FILES_UNUSABLE", `${what}: ${REASONS[code] ?? (code || message)}`, { cause });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "may not be read by this user",
  EISDIR: "is a folder",
  ERR_OSSL_PEM_NO_START_LINE: "no PEM text in it",
  ERR_OSSL_UNSUPPORTED: "no PEM text in it, or of a kind that is not known",
  ERR_MISSING_PASSPHRASE: "is protected by a passphrase; a key without one is needed",
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: "is protected by a passphrase; a key without one is needed",
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: "certificate and key do not belong together",
  ERR_SSL_EE_KEY_TOO_SMALL: "the key is too short",
  ERR_SSL_CA_MD_TOO_WEAK: "the signature of the certificate is too weak",
};

function isSame(a: Material, b: Material): boolean {
  return KINDS.every((kind) => Buffer.compare(a[kind] ?? NOTHING, b[kind] ?? NOTHING) === 0);
}

const NOTHING = Buffer.alloc(0);
