import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { MODELS } from "../../src/demo/models/models.ts";

test("config/demo.yaml asks each demo model where it serves", async () => {
  const demo = await loadConfig("config/demo.yaml");
  if (demo.kind !== "ok") throw new Error("config/demo.yaml does not load");
  const asked = [...demo.config.models].map(([name, { url }]) => [name, new URL(url).pathname]);
  expect(asked).toEqual(Object.entries(MODELS).map(([name, { path }]) => [name, path]));
});
