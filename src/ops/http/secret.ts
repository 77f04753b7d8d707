/**
 * Secrets as they stand in the config: never themselves, only what they are recognised by.
 *
 *   password   scrypt:N:r:p:salt:key   slow on purpose, for what people choose (RFC 7914)
 *   token      sha256:digest           fast, for 256 random bits
 *
 * Comparisons take the same time whatever they find.
 */
import { createHash, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";

const COST = { N: 2 ** 15, r: 8, p: 1 } as const;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const TOKEN_BYTES = 32;
/** What the largest cost that a config may ask for takes. */
const MEMORY_BYTES = 256 * 1024 * 1024;

const PASSWORD = /^scrypt:(\d{1,8}):(\d{1,3}):(\d{1,3}):([A-Za-z0-9_-]{16,}):([A-Za-z0-9_-]{32,})$/;
const TOKEN = /^sha256:([0-9a-f]{64})$/;

export function isPasswordHash(text: string): boolean {
  const [, n = "", r = "", p = ""] = PASSWORD.exec(text) ?? [];
  const cost = Number(n);
  return cost >= 2 ** 14 && (cost & (cost - 1)) === 0 && 128 * cost * Number(r) * Number(p) <= MEMORY_BYTES;
}

export function isTokenHash(text: string): boolean {
  return TOKEN.test(text);
}

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password, salt, COST);
  const { N, r, p } = COST;
  return ["scrypt", N, r, p, salt.toString("base64url"), key.toString("base64url")].join(":");
}

export async function isPassword(password: string, hash: string): Promise<boolean> {
  const [, n, r, p, salt = "", key = ""] = PASSWORD.exec(hash) ?? [];
  const wanted = Buffer.from(key, "base64url");
  const cost = { N: Number(n), r: Number(r), p: Number(p) };
  const found = await derive(password, Buffer.from(salt, "base64url"), cost);
  return wanted.length === found.length && timingSafeEqual(wanted, found);
}

export function newToken(): { readonly token: string; readonly hash: string } {
  const token = randomBytes(TOKEN_BYTES).toString("base64url");
  return { token, hash: hashToken(token) };
}

export function hashToken(token: string): string {
  return `sha256:${createHash("sha256").update(token).digest("hex")}`;
}

export function isSameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function derive(password: string, salt: Buffer, cost: ScryptOptions): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  scrypt(password.normalize("NFKC"), salt, KEY_BYTES, { ...cost, maxmem: MEMORY_BYTES }, (error, key) =>
    error ? reject(error) : resolve(key),
  );
  return promise;
}
