/**
 * Plays cases against a server, one after the other, and looks at the server after each: it lives, it answers a C-ECHO
 * on a new association within two seconds, it holds no descriptor and no file that the case left, it has not grown.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { associateRq, echoRq, pData, RawPeer, releaseRq } from "../../support/raw-peer.ts";
import { ACSE } from "./acse.ts";
import { type Case, type Result, type Verdict, worth } from "./case.ts";
import { answersOf, converse } from "./conversation.ts";
import { DATA_VALUES } from "./data-values.ts";
import { MESSAGES } from "./messages.ts";
import { PDU_STATE } from "./pdu-state.ts";
import { canary, STORAGE } from "./storage.ts";
import { peakMb, rssMb, type Target } from "./target.ts";
import { TRANSPORT } from "./transport.ts";

export const CASES: readonly Case[] = [
  ...TRANSPORT,
  ...PDU_STATE,
  ...ACSE,
  ...DATA_VALUES,
  ...MESSAGES,
  ...STORAGE,
];
/** What waits for a time-out on one connection; all of these can wait at the same time. */
export const WAITING = CASES.filter((one) => one.timed && !one.play);
export const OTHERS = CASES.filter((one) => !WAITING.includes(one));

/** More than one case may cost, in MB of resident memory. */
const GROWTH_MB = 128;
/** How long a server may take to clear up. */
const CLEARING_MS = 5_000;

/** @param echoMs  how soon a C-ECHO has to be answered afterwards; the machine may have others to serve */
export async function play(one: Case, target: Target, echoMs = 20_000): Promise<Result> {
  const { id, name } = one;
  const before = await lookAt(target);
  await peakMb(target.pid);
  let seen = "";
  try {
    seen = await converse(one, target);
  } catch (error) {
    seen = `no connection (${(error as NodeJS.ErrnoException).code})`;
  }
  const verdict = worth(one.answer, seen);
  const bad = (verdict: Verdict, detail: string): Result => ({ id, name, verdict, seen, detail });
  if (!target.isAlive()) return bad("died", "the process has ended");
  const peak = await peakMb(target.pid).catch(() => 0); // it may be dying
  const echo = await echoed(target, echoMs);
  if (!target.isAlive()) return bad("died", "the process has ended");
  if (echo !== "RSP 0000") return bad("hung", `C-ECHO afterwards: ${echo}`);
  const left = await leftBehind(one, target, before).catch(() => "the process has ended");
  if (!target.isAlive()) return bad("died", "the process has ended");
  if (left !== undefined) return bad("leaked", left);
  if (peak - before.rssMb > GROWTH_MB) return bad("leaked", `${Math.round(peak - before.rssMb)} MB more`);
  if (canary()) return bad("wrong", "a file was written where a UID said");
  const after = one.afterwards?.(target, await target.kept());
  if (after !== undefined) return bad("wrong", after);
  return { id, name, verdict, seen, ...(verdict !== "ok" && { detail: `expected ${one.answer}` }) };
}

/** Cases whose connections stand side by side; what is left behind is looked at once, when all have ended. */
export async function playTogether(cases: readonly Case[], target: Target): Promise<readonly Result[]> {
  const before = await lookAt(target);
  const results = await Promise.all(
    cases.map(async (one): Promise<Result> => {
      const { id, name, answer } = one;
      const seen = await converse(one, target).catch((error: Error) => error.message);
      const verdict = worth(answer, seen);
      return { id, name, verdict, seen, ...(verdict !== "ok" && { detail: `expected ${answer}` }) };
    }),
  );
  const all: Case = { id: "T00", name: "all that waited", sends: () => [], answer: "" };
  const detail = target.isAlive() ? await leftBehind(all, target, before) : "the process has ended";
  const verdict = detail === undefined ? "ok" : target.isAlive() ? "leaked" : "died";
  return [...results, { id: all.id, name: all.name, verdict, seen: "", ...(detail && { detail }) }];
}

interface Look {
  readonly fds: number;
  readonly rssMb: number;
  readonly files: number;
}

async function lookAt(target: Target): Promise<Look> {
  const [fds, mb] = [await target.descriptors(), await rssMb(target.pid)];
  return { fds, rssMb: mb, files: (await target.kept()).length };
}

/** On an association of its own. @returns "RSP 0000" if all is well */
export async function echoed({ port }: Target, withinMs = 20_000): Promise<string> {
  let peer: RawPeer;
  try {
    peer = await RawPeer.connect(port);
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
  try {
    peer.send(associateRq());
    const opened = await answersOf(peer, 1, withinMs);
    if (opened !== "AC") return opened;
    peer.send(pData(3, 3, echoRq(7)));
    const answer = await answersOf(peer, 1, withinMs);
    peer.send(releaseRq);
    await answersOf(peer, 1);
    return answer;
  } finally {
    peer.destroy();
  }
}

/** @returns what is more than before, when the server has had the time to clear up */
async function leftBehind(one: Case, target: Target, before: Look): Promise<string | undefined> {
  const expected = before.files + (one.keeps ?? 0);
  for (const until = performance.now() + CLEARING_MS; ; await sleep(10)) {
    const { fds, files } = await lookAt(target);
    if (fds <= before.fds && files === expected) return undefined;
    if (performance.now() < until) continue;
    if (files === expected) return `${fds - before.fds} descriptors`;
    return `${files - before.files} files, where ${one.keeps ?? 0} were to be kept`;
  }
}
