import { expect, test } from "vitest";
import { Access, type AccessSettings, isFromOurPage, isLoopbackHost } from "../../src/ops/http/access.ts";
import {
  hashPassword,
  hashToken,
  isPassword,
  isPasswordHash,
  isTokenHash,
  newToken,
} from "../../src/ops/http/secret.ts";
import { HandClock } from "../support/clock.ts";

const PASSWORD = "correct horse battery";
const hash = await hashPassword(PASSWORD);
const { token, hash: tokenHash } = newToken();
const SETTINGS: AccessSettings = {
  users: [{ name: "ann", role: "operator", password: hash }],
  tokens: [{ name: "grafana", role: "viewer", hash: tokenHash }],
};
const nothing = { host: "node.example:11180", authorization: undefined, session: undefined };

test("a password is known by its hash and by nothing else; each hash has its own salt", async () => {
  expect(isPasswordHash(hash)).toBe(true);
  expect(await isPassword(PASSWORD, hash)).toBe(true);
  expect(await isPassword(`${PASSWORD} `, hash)).toBe(false);
  expect(await hashPassword(PASSWORD)).not.toBe(hash);
});

test.each([
  ["a password itself", PASSWORD],
  ["too little work", hash.replace("32768", "1024")],
  ["more memory than is allowed", hash.replace("32768", "4194304")],
  ["a cost that is no power of two", hash.replace("32768", "32769")],
])("%s is no hash of a password", (_, text) => {
  expect(isPasswordHash(text)).toBe(false);
});

test("the hash of a token is the SHA-256 of its text", () => {
  // printf abc | sha256sum
  const abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  expect(hashToken("abc")).toBe(abc);
  expect(isTokenHash(abc)).toBe(true);
  expect(isTokenHash("abc")).toBe(false);
});

test("without users and tokens whoever names this machine may act, and nobody who names another", () => {
  const open = new Access({ users: [], tokens: [] }, new HandClock());
  for (const host of ["localhost:11180", "127.0.0.1", "[::1]:11180"])
    expect(open.callerOf({ ...nothing, host }), host).toEqual({ name: "local", role: "operator" });
  for (const host of ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", undefined])
    expect(open.callerOf({ ...nothing, host }), host).toBeUndefined();
});

test("a token opens as what it is for, a wrong one does not", () => {
  const access = new Access(SETTINGS, new HandClock());
  const asked = (text: string) => access.callerOf({ ...nothing, authorization: text });
  expect(asked(`Bearer ${token}`)).toEqual({ name: "grafana", role: "viewer" });
  expect(asked(`Bearer ${token}x`)).toBeUndefined();
  expect(asked(`Basic ${token}`)).toBeUndefined();
  expect(asked(tokenHash)).toBeUndefined();
  expect(access.callerOf({ ...nothing, host: "localhost" })).toBeUndefined();
});

test("a session lasts half an hour after its last request, twelve hours at most, and until the log-out", async () => {
  const clock = new HandClock();
  const access = new Access(SETTINGS, clock);
  const ann = { name: "ann", role: "operator" };
  const minutes = (count: number): void => clock.advance(count * 60_000);
  const idle = await access.login("ann", PASSWORD);
  minutes(29);
  expect(access.callerOf({ ...nothing, session: idle })).toEqual(ann);
  minutes(31);
  expect(access.callerOf({ ...nothing, session: idle })).toBeUndefined();

  const long = await access.login("ann", PASSWORD);
  for (let count = 0; count < 12 * 3; count++) {
    minutes(20);
    expect(access.callerOf({ ...nothing, session: long })).toEqual(ann);
  }
  minutes(1);
  expect(access.callerOf({ ...nothing, session: long })).toBeUndefined();

  const left = await access.login("ann", PASSWORD);
  access.logout(left!);
  expect(access.callerOf({ ...nothing, session: left })).toBeUndefined();
});

test("neither a wrong name nor a wrong password makes a session", async () => {
  const access = new Access(SETTINGS, new HandClock());
  expect(await access.login("ann", "wrong")).toBeUndefined();
  expect(await access.login("bob", PASSWORD)).toBeUndefined();
});

test.each([
  [{ host: "node:1", "sec-fetch-site": "same-origin" }, true],
  [{ host: "node:1", "sec-fetch-site": "none" }, true],
  [{ host: "node:1", "sec-fetch-site": "same-site" }, false],
  [{ host: "node:1", "sec-fetch-site": "cross-site", origin: "http://node:1" }, false],
  [{ host: "node:1", origin: "http://node:1" }, true],
  [{ host: "node:1", origin: "http://evil:1" }, false],
  [{ host: "node:1", origin: "null" }, false],
  [{ host: "node:1" }, true],
])("a request with %o comes from our page: %s", (headers, expected) => {
  expect(isFromOurPage(headers)).toBe(expected);
});

test("a name that only looks like this machine's is not", () => {
  expect(isLoopbackHost("localhost.evil.example")).toBe(false);
  expect(isLoopbackHost("127.1")).toBe(true); // a browser makes 127.0.0.1 of it
  expect(isLoopbackHost("")).toBe(false);
});
