/**
 * The pages in a headless Chromium: every one at 1280 and 400 px, light and dark; without a mouse; live; and judged by
 * axe. With SHOTS=<folder> pictures of all of them are left there to be looked at.
 */
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { hashPassword } from "../../src/ops/http/secret.ts";
import { CHROMIUM, startBrowser } from "../support/browser.ts";
import { hasProgram, testIf } from "../support/data.ts";
import { tempFolder } from "../support/temp.ts";
import { seriousFaults } from "./axe.ts";
import { type Clinic, clinic } from "./clinic.ts";

const inBrowser = testIf(hasProgram(CHROMIUM), "Chromium");
const MINUTE = 60_000;

async function filled(access?: string): Promise<Clinic & { readonly uid: string }> {
  const here = await clinic(access);
  await here.send();
  await here.pacs.arrived(2);
  await here.journal.said("run.ended");
  await here.journal.said("run.no-finding");
  const [done] = await here.journal.said("delivery.done", 2);
  return Object.assign(here, { uid: done?.studyUid ?? "" });
}

/** Everything a page says of its troubles; what the policy forbade is among it. */
function troublesOf(page: Page): string[] {
  const troubles: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") troubles.push(message.text());
  });
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("dialog", (dialog) => {
    troubles.push(`dialog: ${dialog.message()}`);
    void dialog.accept();
  });
  return troubles;
}

inBrowser(
  "every page shows at both widths and in both schemes, overflows nowhere, breaks no policy and is accessible",
  async () => {
    await using here = await filled();
    const { uid } = here;
    await using chromium = await startBrowser();
    await using folder = await tempFolder();
    const shots = process.env["SHOTS"] ?? folder.path;
    const pages = {
      studies: "/",
      study: `/studies/${uid}`,
      models: "/models",
      destinations: "/destinations",
    };
    for (const width of [1280, 400])
      for (const colorScheme of ["light", "dark"] as const) {
        const context = await chromium.browser.newContext({ viewport: { width, height: 850 }, colorScheme });
        const page = await context.newPage();
        const troubles = troublesOf(page);
        for (const [name, path] of Object.entries(pages)) {
          await page.goto(here.origin + path);
          if (name === "study") await drawn(page);
          const wide = await page.evaluate("document.documentElement.scrollWidth");
          expect([name, wide]).toEqual([name, width]);
          await page.screenshot({ path: join(shots, `${name}-${width}-${colorScheme}.png`), fullPage: true });
          expect([name, await seriousFaults(page)]).toEqual([name, []]);
        }
        expect(troubles).toEqual([]);
        await context.close();
      }
  },
  5 * MINUTE,
);

/** The picture stands: some pixels of the canvas are coloured. */
function drawn(page: Page): Promise<void> {
  return until(page, `${COLOURED} > 0`);
}

/** Asked again and again from here: what waits within a page is made by eval, which the policy forbids. */
async function until(page: Page, expression: string): Promise<void> {
  const end = performance.now() + MINUTE / 2;
  while (!(await page.evaluate(expression))) {
    if (performance.now() > end) throw new Error(`never true: ${expression}`);
    await page.waitForTimeout(50);
  }
}

inBrowser(
  "with the keyboard alone one gets from the list to a study, through its slices, and gives orders",
  async () => {
    await using here = await filled();
    const { uid } = here;
    await using chromium = await startBrowser();
    const page = await (
      await chromium.browser.newContext({ viewport: { width: 1280, height: 850 } })
    ).newPage();
    const troubles = troublesOf(page);
    const tabTo = async (name: string): Promise<void> => {
      const focused =
        "document.activeElement.ariaLabel || document.activeElement.name || document.activeElement.textContent";
      for (let presses = 0; presses < 60; presses += 1) {
        await page.keyboard.press("Tab");
        if ((await page.evaluate(focused)) === name) return;
      }
      throw new Error(`Tab does not come to ${name}`);
    };
    await page.goto(here.origin);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.className")).toBe("skip");
    await tabTo(uid);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/studies/${uid}`);
    await drawn(page);
    const where = page.locator("output[name=where]");
    const before = await where.textContent();
    await tabTo("Slice with segments; up and down keys go through the slices");
    await page.keyboard.press("ArrowUp");
    expect(await where.textContent()).not.toBe(before);
    const coloured = async (): Promise<number> => (await page.evaluate(COLOURED)) as number;
    await until(page, `${COLOURED} > 0`);
    const many = await coloured();
    for (let box = 0; box < 2; box += 1) {
      await page.locator(".picture input[type=checkbox]").nth(box).focus();
      await page.keyboard.press("Space");
    }
    await until(page, `${COLOURED} === 0`);
    expect(many).toBeGreaterThan(0);
    await page.keyboard.press("Home");
    await page.locator("h1").click();
    await tabTo("Discard: the run of nerve");
    await page.keyboard.press("Enter"); // asked whether that is meant, and accepted
    await page.getByText("discarded", { exact: true }).waitFor();
    expect(here.journal.of("run.discarded")).toMatchObject([{ user: "local", model: "nerve" }]);
    expect(troubles).toEqual(["dialog: Discard: the run of nerve?"]);
  },
  3 * MINUTE,
);

/** How many pixels of the canvas are coloured. */
const COLOURED = `(() => {
  const canvas = document.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) if (Math.abs(data[at] - data[at + 2]) > 5) count += 1;
  return count;
})()`;

inBrowser(
  "a page that is open shows a study that comes, and what becomes of it, without being loaded again",
  async () => {
    await using here = await clinic();
    await using chromium = await startBrowser();
    const page = await chromium.browser.newPage();
    const troubles = troublesOf(page);
    await page.goto(here.origin);
    await page.getByText("No study has come yet.").waitFor();
    await page.evaluate("globalThis.isTheSame = true");
    await here.send();
    await page.getByRole("cell", { name: "needs attention" }).waitFor();
    await page.getByText("2 of 4").waitFor();
    expect(await page.evaluate("globalThis.isTheSame")).toBe(true);
    expect(troubles).toEqual([]);
  },
  2 * MINUTE,
);

inBrowser(
  "where users are configured one logs in, and a viewer finds no button that he may not press",
  async () => {
    const hash = await hashPassword("correct horse battery");
    await using here = await filled(`, users: [{ name: ann, role: viewer, password: "${hash}" }]`);
    const { uid } = here;
    await using chromium = await startBrowser();
    await using folder = await tempFolder();
    const page = await chromium.browser.newPage();
    await page.goto(`${here.origin}/studies/${uid}`);
    await page.getByLabel("Name").fill("ann");
    await page.screenshot({ path: join(process.env["SHOTS"] ?? folder.path, "login.png") });
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByLabel("Password").fill("correct horse battery");
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: uid }).click();
    await drawn(page);
    expect(await page.getByRole("button").allTextContents()).toEqual(["Log out"]);
    await page.getByRole("button", { name: "Log out" }).click();
    await page.waitForURL("**/login");
  },
  2 * MINUTE,
);

inBrowser(
  "the view in three dimensions is loaded when it is opened, and works under the policy",
  async () => {
    await using here = await filled();
    await using chromium = await startBrowser({ webgl: true });
    const page = await (
      await chromium.browser.newContext({ viewport: { width: 420, height: 420 } })
    ).newPage();
    const troubles = troublesOf(page);
    const libraries: string[] = [];
    page.on("request", (request) => {
      if (request.url().includes("niivue")) libraries.push(request.url());
    });
    await page.goto(`${here.origin}/studies/${here.uid}`);
    await drawn(page);
    expect(libraries).toEqual([]);
    await page.locator("#view-3d summary").focus();
    await page.keyboard.press("Enter");
    await until(page, "document.querySelector('#view-3d').dataset.shown === 'yes'");
    await until(page, "document.querySelector('#view-3d [role=status]').textContent === ''");
    expect(libraries).toHaveLength(1);
    expect(new URL(libraries[0]!).origin).toBe(here.origin);
    // It is drawn by a program of its own for some seconds; what it says first is that it could not.
    expect(await page.locator("#view-3d [role=status]").textContent()).toBe("");
    expect(troubles).toEqual([]);
  },
  3 * MINUTE,
);
