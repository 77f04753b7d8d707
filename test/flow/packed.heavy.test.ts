/** The package as `npm pack` makes it, installed elsewhere: it runs without the sources, and does the whole way. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startModelDouble } from "../support/model-double.ts";
import { startPacs } from "../support/pacs.ts";
import { writeSeries } from "../support/phantom.ts";
import { configText, ONE_SEGMENT, RAW_NIFTI } from "../support/rig.ts";
import { send } from "../support/send.ts";
import { tempFolder } from "../support/temp.ts";
import { threshold } from "../support/threshold.ts";

const run = promisify(execFile);

test("the packed program is installed, checks a config and turns a series into a SEG", async () => {
  await using folder = await tempFolder();
  await run("npm", ["pack", "--pack-destination", folder.path], { maxBuffer: 10_000_000 });
  expect(existsSync("dist")).toBe(false);
  const tarball = (await readdir(folder.path)).find((name) => name.endsWith(".tgz")) ?? "";
  const { stdout: listed } = await run("tar", ["-tzf", join(folder.path, tarball)]);
  expect(listed.split("\n").filter((path) => path.endsWith(".ts"))).toEqual([]);

  const prefix = join(folder.path, "prefix");
  const install = ["install", "--global", "--ignore-scripts", "--prefix", prefix, join(folder.path, tarball)];
  await run("npm", install, { maxBuffer: 10_000_000 });
  const program = join(prefix, "lib", "node_modules", "isocenter", "src", "isocenter.js");

  await mkdir(join(folder.path, "pacs"));
  await using pacs = await startPacs(join(folder.path, "pacs"));
  await using model = await startModelDouble(({ body }) => threshold(body, 0));
  const models = { bone: { url: model.origin, rest: `${RAW_NIFTI}, ${ONE_SEGMENT}` } };
  const config = join(folder.path, "node.yaml");
  await writeFile(
    config,
    configText(folder.path, { pacsPort: pacs.port, models, http: "{ listen: { port: 0 } }" }),
  );
  const { stdout: checked } = await run(process.execPath, [program, "check", "-c", config]);
  expect(checked).toMatch(/: OK\n/);

  const node = spawn(process.execPath, [program, "start", "-c", config], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(node, "exit");
  const files = await writeSeries(join(folder.path, "source"), { slices: 4 });
  let pages: readonly number[] = [];
  for await (const line of createInterface(node.stdout)) {
    const { event, port } = JSON.parse(line) as { readonly event: string; readonly port?: number };
    if (event === "node.started")
      void send(
        files.map(({ path }) => path),
        port!,
      );
    if (event === "http.started") pages = await withAssets(`http://127.0.0.1:${port}/`);
    if (event === "delivery.done") node.kill("SIGTERM");
  }
  expect(pages).toEqual([200, 200, 200, 200]);
  expect(await exit).toEqual([0, null]);
  expect(pacs.stored).toHaveLength(1);
}, 300_000);

/** The statuses of a page, its style, its icon and its script. */
async function withAssets(url: string): Promise<readonly number[]> {
  const page = await fetch(url);
  const assets = [...(await page.text()).matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(
    ([, path]) => path!,
  );
  const answers = await Promise.all(assets.map((path) => fetch(new URL(path, url))));
  return [page.status, ...answers.map(({ status }) => status)];
}
