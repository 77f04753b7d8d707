/** A headless Chromium that talks to nothing but the node under test. */
import { chromium } from "playwright-core";

export const CHROMIUM = "/usr/bin/chromium";

const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function startBrowser() {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  return { browser, [Symbol.asyncDispose]: () => browser.close() };
}
