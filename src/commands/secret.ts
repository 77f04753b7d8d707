/** `isocenter password` and `isocenter token`: what goes into the config instead of a secret. */
import { stdin } from "node:process";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { hashPassword, newToken } from "../ops/http/secret.ts";

const SHORTEST_PASSWORD = 12;

/** Reads one line from standard input; it is not echoed. @returns the exit code */
export async function password(
  print: (line: string) => void,
  complain: (line: string) => void,
): Promise<number> {
  if (stdin.isTTY) complain("Password (it is not shown), then Enter:");
  const chosen = await readLine();
  if (Array.from(chosen).length < SHORTEST_PASSWORD) {
    complain(`A password has at least ${SHORTEST_PASSWORD} characters.`);
    return 1;
  }
  print(await hashPassword(chosen));
  return 0;
}

/** @returns the exit code */
export function token(print: (line: string) => void): number {
  const made = newToken();
  print(`token  ${made.token}`);
  print(`hash   ${made.hash}`);
  return 0;
}

async function readLine(): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: stdin.isTTY });
  try {
    for await (const line of lines) return line;
    return "";
  } finally {
    lines.close();
  }
}
