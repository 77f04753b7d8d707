/** Docker runs nowhere near the tests: what its files name is checked to be there. */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.ts";

const dockerfile = readFileSync("docker/Dockerfile", "utf8");

interface Service {
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly read_only?: boolean;
}

const { services } = parse(readFileSync("docker/compose.yaml", "utf8"), { merge: true }) as {
  services: Record<string, Service>;
};

test("the image copies what is there, runs Node 24 as another user than root, and builds nothing", () => {
  const copied = [...dockerfile.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, sources = ""]) =>
    sources.split(" "),
  );
  expect(copied).toContain("src");
  expect(copied.filter((path) => !existsSync(path))).toEqual([]);
  expect(dockerfile).toMatch(/^FROM node:24-slim$/m);
  expect(dockerfile.lastIndexOf("USER node")).toBeLessThan(dockerfile.indexOf("ENTRYPOINT"));
  expect(dockerfile.lastIndexOf("USER node")).toBeGreaterThan(dockerfile.indexOf("RUN mkdir"));
  expect(dockerfile).not.toMatch(/tsc|npm run/);
});

test("compose starts programs that exist, with a read-only root", () => {
  for (const [name, service] of Object.entries(services)) {
    const program = service.entrypoint?.find((word) => word.endsWith(".ts"));
    if (program) expect(existsSync(program), program).toBe(true);
    if (name !== "orthanc") expect(service.read_only, name).toBe(true);
  }
  expect(Object.keys(services).sort()).toEqual(["airway", "bone", "node", "orthanc", "softtissue", "teeth"]);
});

test("the config that compose mounts is that of the demo, between the containers", async () => {
  const mounted = services["node"]?.volumes?.find((volume) => volume.startsWith("./"))?.split(":")[0] ?? "";
  const ours = await loadConfig(`docker/${mounted}`);
  const demo = await loadConfig("config/demo.yaml");
  if (ours.kind !== "ok" || demo.kind !== "ok") throw new Error("a config does not load");
  expect([...ours.config.models.keys()]).toEqual([...demo.config.models.keys()]);
  for (const [name, model] of ours.config.models) {
    const { url, ...rest } = model;
    const { url: _, ...expected } = demo.config.models.get(name)!;
    expect(rest).toEqual(expected);
    expect(new URL(url).hostname).toBe(name);
    expect(services[name]?.entrypoint).toContain(new URL(url).port);
  }
  expect(ours.config.node.dataDir).toBe("/var/lib/isocenter");
});

test("the systemd unit starts what is there, as a user of its own, and may write one folder only", () => {
  const unit = readFileSync("docker/isocenter.service", "utf8");
  const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, "m").exec(unit)?.[1];
  expect(value("ExecStart")).toBe("/usr/bin/env isocenter start -c /etc/isocenter/node.yaml");
  expect(value("User")).toBe("isocenter");
  expect(value("ProtectSystem")).toBe("strict");
  expect(value("StateDirectory")).toBe("isocenter");
  expect(value("NoNewPrivileges")).toBe("true");
});

test("the health check of the image asks where the config of compose lets the node answer", async () => {
  const loaded = await loadConfig("docker/node.yaml");
  const port = loaded.kind === "ok" ? loaded.config.http?.port : undefined;
  expect(port).toBeDefined();
  expect(dockerfile).toContain(`http://127.0.0.1:${port}/healthz`);
});
