/**
 * Associations to the peers of the config: where they are, as whom we call, under which TLS.
 *
 * Owns: the TLS files of each peer that has some.
 */
import { Credentials, type TlsFiles } from "../association/credentials.ts";
import { type AssociateOptions, associate, type RequestorAssociation } from "../association/scu.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { AeTitle } from "../dicom/ae-title.ts";

export interface PeerSettings {
  readonly aeTitle: AeTitle;
  readonly callingAeTitle: AeTitle;
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly files: TlsFiles; readonly serverName?: string };
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
}

type Asked = Pick<AssociateOptions, "contexts" | "commitment" | "signal">;

export class Peers implements Disposable {
  readonly #credentials = new Map<PeerSettings["tls"], Credentials>();

  /**
   * @param peers  by the setting they stand under, such as destinations.pacs
   * @throws       NodeError TLS_FILES_UNUSABLE
   */
  static async open(
    peers: Iterable<readonly [setting: string, peer: PeerSettings]>,
    system: { readonly log: Log; readonly clock: Clock },
  ): Promise<Peers> {
    const opened = new Peers();
    try {
      for (const [setting, { tls }] of peers) {
        if (tls) opened.#credentials.set(tls, await Credentials.open(tls.files, `${setting}.tls`, system));
      }
    } catch (error) {
      opened[Symbol.dispose]();
      throw error;
    }
    return opened;
  }

  /** @throws as associate() of association/scu.ts */
  associate(peer: PeerSettings, asked: Asked): Promise<RequestorAssociation> {
    const { tls, ...where } = peer;
    const credentials = tls && this.#credentials.get(tls);
    if (tls && !credentials) throw new Error(`bug: ${peer.aeTitle} has TLS files that were not read`);
    return associate(
      { ...where, ...(tls && credentials && { tls: { ...tls, credentials } }) },
      { ...peer, ...asked },
    );
  }

  /** Takes up TLS files that have changed. Never rejects. */
  async reload(): Promise<void> {
    await Promise.all(Array.from(this.#credentials.values(), (one) => one.reload()));
  }

  [Symbol.dispose](): void {
    for (const one of this.#credentials.values()) one[Symbol.dispose]();
  }
}
