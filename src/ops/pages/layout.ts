/** What every page has around it. Pure. */
import type { Caller } from "../http/access.ts";
import { type Html, html, type Part } from "./html.ts";

/** What a page knows besides its own matter. */
export interface Around {
  /** Path of an asset by its plain name. */
  readonly asset: (name: string) => string;
  readonly caller: Caller | undefined;
  /** The node asks nobody to log in. */
  readonly isOpen: boolean;
  /** Studies that want a person. */
  readonly attention: number;
  readonly now: number;
}

export interface Page {
  readonly title: string;
  readonly at?: "studies" | "models" | "destinations";
  /** Replaced whenever something changed. */
  readonly live: Part;
  /** Stays. */
  readonly fixed?: Part;
  /** Of which changes the page wants to hear: of one study, or of all. */
  readonly study?: string;
  readonly scripts?: readonly string[];
}

const PLACES = [
  { at: "studies", href: "/", name: "Studies" },
  { at: "models", href: "/models", name: "Models" },
  { at: "destinations", href: "/destinations", name: "Destinations" },
] as const;

const MARK = html`<svg class="mark" viewBox="0 0 32 32" width="26" height="26" aria-hidden="true"><circle cx="16" cy="16" r="11"/><circle cx="16" cy="16" r="4.5"/><path d="M16 1v9M16 22v9M1 16h9M22 16h9"/></svg>`;

export function page(around: Around, { title, at, live, fixed, study, scripts = [] }: Page): string {
  const { asset, caller, isOpen, attention } = around;
  return document(
    around,
    title,
    html`<header class="top"><div class="wide">
<a class="home" href="/">${MARK}<span>Isocenter</span></a>
<nav aria-label="Pages"><ul>${PLACES.map(
      (place) =>
        html`<li><a href="${place.href}"${place.at === at && html` aria-current="page"`}>${place.name}${
          place.at === "studies" &&
          attention > 0 &&
          html` <span class="badge" id="attention">${attention}</span>`
        }</a></li>`,
    )}</ul></nav>
<div class="who">${caller && !isOpen && html`<span>${caller.name}</span><form method="post" action="/logout"><button class="plain">Log out</button></form>`}</div>
</div></header>
<main id="main" class="wide" tabindex="-1"${study !== undefined && html` data-study="${study}"`}>
<div id="live">${live}</div>
${fixed}
</main>
<p id="said" class="hidden" role="status" aria-live="polite"></p>
${["live.js", ...scripts].map((name) => html`<script type="module" src="${asset(name)}"></script>`)}`,
  );
}

/** A page without a way on: log-in, faults. */
export function barePage(around: Pick<Around, "asset">, title: string, body: Html): string {
  return document(around, title, html`<main id="main" class="bare" tabindex="-1">${MARK}${body}</main>`);
}

function document({ asset }: Pick<Around, "asset">, title: string, body: Html): string {
  const all = html`<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} · Isocenter</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="${asset("mark.svg")}" type="image/svg+xml">
<link rel="stylesheet" href="${asset("style.css")}">
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
${body}
</body>
</html>`;
  return `<!doctype html>\n${String(all)}\n`;
}
