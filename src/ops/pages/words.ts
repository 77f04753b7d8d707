/** Times, sizes and states in the words of the pages. Pure. */
import { type Html, html } from "./html.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function duration(ms: number): string {
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 100 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < 100 * MINUTE) return `${Math.round(ms / MINUTE)} min`;
  if (ms < 48 * HOUR) return `${Math.round(ms / HOUR)} h`;
  return `${Math.round(ms / DAY)} days`;
}

/** A moment as a person says it; the exact one stands behind it. */
export function moment(at: number, now: number): Html {
  const ago = now - at < 5 * SECOND ? "just now" : `${duration(now - at)} ago`;
  return html`<time datetime="${new Date(at).toISOString()}" title="${exact(at)}">${ago}</time>`;
}

/** In the time zone of the node. */
export function exact(at: number): string {
  return new Date(at).toLocaleString("sv-SE", { timeZoneName: "short" });
}

export function bytes(count: number): string {
  if (count < 1e6) return `${Math.ceil(count / 1e3)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** @see PS3.7 Annex C */
export function statusText(status: number): string {
  return `${status.toString(16).toUpperCase().padStart(4, "0")}H`;
}

type Tone = "good" | "busy" | "bad" | "quiet";

const TONES: Readonly<Record<string, Tone>> = {
  attention: "bad",
  receiving: "busy",
  working: "busy",
  delivering: "busy",
  done: "good",
  pending: "busy",
  failed: "bad",
  quarantined: "bad",
  held: "bad",
  delivered: "good",
  paused: "bad",
};

const NAMES: Readonly<Record<string, string>> = {
  attention: "needs attention",
  "no-work": "nothing to do",
  "no-finding": "no finding",
};

export function nameOf(state: string): string {
  return NAMES[state] ?? state;
}

export function pill(state: string): Html {
  return html`<span class="pill ${TONES[state] ?? "quiet"}">${nameOf(state)}</span>`;
}
