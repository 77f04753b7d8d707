/** Notifications by e-mail: SMTP, with STARTTLS where the server has it; a password only ever over TLS. */
import { createTransport } from "nodemailer";
import { textOf } from "./events.ts";
import type { Deliver } from "./notifier.ts";

export interface EmailSettings {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte, as on port 465. */
  readonly tls: boolean;
  readonly user?: string;
  /** Name of the environment variable that holds the password. */
  readonly passwordEnv?: string;
  readonly from: string;
  readonly to: readonly string[];
}

const TIMEOUT_MS = 15_000;

export function email(settings: EmailSettings, node: string): Deliver {
  const { host, port, tls, user, passwordEnv, from, to } = settings;
  return async ({ batch, dropped }) => {
    const pass = passwordEnv === undefined ? undefined : process.env[passwordEnv];
    if (passwordEnv !== undefined && !pass) throw new Error(`environment variable ${passwordEnv} is not set`);
    const transport = createTransport({
      host,
      port,
      secure: tls,
      requireTLS: !tls && user !== undefined,
      connectionTimeout: TIMEOUT_MS,
      greetingTimeout: TIMEOUT_MS,
      socketTimeout: TIMEOUT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
      ...(user !== undefined && { auth: { user, pass: pass ?? "" } }),
    });
    const [first] = batch;
    const more = batch.length > 1 ? ` and ${batch.length - 1} more` : "";
    const lost = dropped > 0 ? `${dropped} earlier notifications were dropped.\n` : "";
    try {
      await transport.sendMail({
        from,
        to: [...to],
        subject: `${node}: ${first?.kind ?? "nothing"}${more}`,
        text: lost + textOf(batch),
      });
    } finally {
      transport.close();
    }
  };
}
