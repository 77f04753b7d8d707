/**
 * Who may see and who may act: users with passwords, programs with tokens, roles.
 *
 * Without users and tokens the node is open to whoever is on this machine, and to nobody else: the config then allows
 * no other address than loopback, and a request that names another host (DNS rebinding) is refused.
 *
 * A viewer sees; an operator also acts. A session ends after IDLE_MS without a request and after LONGEST_MS at the
 * latest. At most SESSIONS are open; the oldest ends first. Sessions do not survive a restart.
 */
import { isIP } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { hashToken, isPassword, isSameHash, newToken } from "./secret.ts";

type Role = "viewer" | "operator";

export interface AccessSettings {
  readonly users: readonly { readonly name: string; readonly role: Role; readonly password: string }[];
  readonly tokens: readonly { readonly name: string; readonly role: Role; readonly hash: string }[];
}

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/** What a request brings along to be recognised by. */
export interface Credentials {
  /** Host header. */
  readonly host: string | undefined;
  /** Authorization header. */
  readonly authorization: string | undefined;
  /** Session cookie. */
  readonly session: string | undefined;
}

interface Session {
  readonly caller: Caller;
  readonly begunAt: number;
  usedAt: number;
}

const IDLE_MS = 30 * 60_000;
const LONGEST_MS = 12 * 3_600_000;
const SESSIONS = 200;
/** Compared with where there is no such user, so that the answer takes as long. */
const NOBODY = "scrypt:32768:8:1:AAAAAAAAAAAAAAAAAAAAAA:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const LOCAL: Caller = { name: "local", role: "operator" };

export class Access {
  readonly #settings: AccessSettings;
  readonly #clock: Clock;
  /** By hash of the cookie: what is in memory opens no door. In order of their beginning. */
  readonly #sessions = new Map<string, Session>();

  constructor(settings: AccessSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#settings.users.length === 0 && this.#settings.tokens.length === 0;
  }

  /** @returns undefined for a stranger */
  callerOf({ host, authorization, session }: Credentials): Caller | undefined {
    if (this.isOpen) return isLoopbackHost(host) ? LOCAL : undefined;
    const bearer = /^Bearer ([A-Za-z0-9._~+/=-]{1,512})$/i.exec(authorization ?? "")?.[1];
    if (bearer !== undefined) return this.#tokenHolder(bearer);
    return session === undefined ? undefined : this.#sessionHolder(session);
  }

  /** @returns the value of the session cookie; undefined if name or password are wrong */
  async login(name: string, password: string): Promise<string | undefined> {
    const user = this.#settings.users.find((one) => one.name === name);
    const isRight = await isPassword(password, user?.password ?? NOBODY);
    if (!user || !isRight) return undefined;
    const { token, hash } = newToken();
    const now = this.#clock.elapsed();
    this.#sessions.set(hash, { caller: { name, role: user.role }, begunAt: now, usedAt: now });
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    return token;
  }

  logout(session: string): void {
    this.#sessions.delete(hashToken(session));
  }

  #tokenHolder(bearer: string): Caller | undefined {
    const hash = hashToken(bearer);
    const holder = this.#settings.tokens.find((token) => isSameHash(token.hash, hash));
    return holder && { name: holder.name, role: holder.role };
  }

  #sessionHolder(cookie: string): Caller | undefined {
    const key = hashToken(cookie);
    const session = this.#sessions.get(key);
    if (!session) return undefined;
    const now = this.#clock.elapsed();
    if (now - session.usedAt > IDLE_MS || now - session.begunAt > LONGEST_MS) {
      this.#sessions.delete(key);
      return undefined;
    }
    session.usedAt = now;
    return session.caller;
  }
}

/** A name that only this machine can mean. */
export function isLoopbackHost(host: string | undefined): boolean {
  const name = URL.parse(`http://${host ?? ""}/`)?.hostname ?? "";
  if (name === "localhost" || name === "[::1]") return true;
  return isIP(name) === 4 && name.startsWith("127.");
}

/**
 * Whether a request that changes something came from a page of ours, or from no page at all.
 *
 * @see https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
 */
export function isFromOurPage(headers: {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly "sec-fetch-site"?: string | undefined;
}): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site === "same-origin" || site === "none";
  return headers.origin === undefined || URL.parse(headers.origin)?.host === headers.host;
}
