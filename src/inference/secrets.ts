/**
 * Secrets by name: `${secret:NAME}`.
 *
 * In:   a folder of files, as container platforms mount them, or the environment; the file wins.
 * Out:  the value, without the line end that editors add.
 * May:  read those files.
 *
 * A value is kept until a model refuses it, and then read again: tokens are rotated while the node runs. Values
 * are never logged, nor part of an error.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { NodeError } from "../base/errors.ts";
import { SECRET_NAME } from "./template.ts";

export interface SecretSettings {
  /** Without one, only the environment is asked. */
  readonly folder?: string;
}

const MAX_BYTES = 64 * 1024;
/** Shorter ones would blacken half of a sentence, and are no secrets. */
const SHORTEST_REDACTED = 4;

export class Secrets {
  readonly #folder: string | undefined;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  readonly #known = new Map<string, string>();

  constructor(
    settings: SecretSettings,
    environment: Readonly<Record<string, string | undefined>> = process.env,
  ) {
    this.#folder = settings.folder;
    this.#environment = environment;
  }

  /** @throws SECRET_MISSING */
  async valueOf(name: string): Promise<string> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const value = (await this.#fromFile(name)) ?? this.#environment[name];
    if (value === undefined || value === "") {
      const where = this.#folder === undefined ? "the environment" : `${this.#folder} or the environment`;
      throw new NodeError("SECRET_MISSING", `Secret ${name}: not in ${where}`);
    }
    this.#known.set(name, value);
    return value;
  }

  /** What was refused is read again when it is next asked for. @returns whether any of it has changed */
  async reload(names: readonly string[]): Promise<boolean> {
    const before = names.map((name) => this.#known.get(name));
    for (const name of names) this.#known.delete(name);
    const after = await Promise.all(names.map((name) => this.valueOf(name).catch(() => undefined)));
    return after.some((value, at) => value !== undefined && value !== before[at]);
  }

  /** What a server says may repeat what it was sent. */
  redacted(text: string): string {
    const longestFirst = [...this.#known.values()].sort((a, b) => b.length - a.length);
    return longestFirst.reduce(
      (told, secret) => (secret.length >= SHORTEST_REDACTED ? told.replaceAll(secret, "***") : told),
      text,
    );
  }

  async #fromFile(name: string): Promise<string | undefined> {
    if (this.#folder === undefined || !SECRET_NAME.test(name)) return undefined;
    try {
      const bytes = await readFile(join(this.#folder, name));
      return bytes.length > MAX_BYTES ? undefined : bytes.toString("utf8").replace(/\r?\n$/, "");
    } catch {
      return undefined; // not there or not readable: the environment may have it
    }
  }
}
