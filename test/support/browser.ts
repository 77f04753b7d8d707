/** A headless Chromium that talks to nothing but the node under test. */
import { chromium } from "playwright-core";

export const CHROMIUM = "/usr/bin/chromium";

const SOFTWARE_GL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** @param options.webgl  in software: slow, but there is no graphics card to ask */
export async function startBrowser({ webgl } = { webgl: false }) {
  const args = webgl ? [...ARGS.filter((arg) => arg !== "--disable-gpu"), ...SOFTWARE_GL] : ARGS;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  return { browser, [Symbol.asyncDispose]: () => browser.close() };
}
