/**
 * Notifications by HTTP POST, as JSON, signed if there is a secret.
 *
 *   { "node": "ISOCENTER", "dropped": 0, "notifications": [ { "kind": …, "at": …, … } ] }
 *   x-isocenter-signature: sha256=<HMAC-SHA-256 of the body, hexadecimal>
 */
import { createHmac } from "node:crypto";
import type { Deliver } from "./notifier.ts";

export interface WebhookSettings {
  readonly url: string;
  /** Name of the environment variable that holds the secret. */
  readonly secretEnv?: string;
}

const TIMEOUT_MS = 15_000;

export function webhook({ url, secretEnv }: WebhookSettings, node: string): Deliver {
  return async ({ batch, dropped }, { signal }) => {
    const body = JSON.stringify({ node, dropped, notifications: batch });
    const secret = secretEnv === undefined ? undefined : process.env[secretEnv];
    if (secretEnv !== undefined && !secret) throw new Error(`environment variable ${secretEnv} is not set`);
    const response = await fetch(url, {
      method: "POST",
      body,
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: {
        "content-type": "application/json",
        ...(secret && {
          "x-isocenter-signature": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
        }),
      },
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
  };
}
