/** Ways to a server: unix sockets, TLS with authorities and certificates of one's own, secrets, signatures. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { NodeError } from "../../src/base/errors.ts";
import { type Call, ModelClient } from "../../src/inference/client.ts";
import type { Model } from "../../src/inference/model.ts";
import { Secrets } from "../../src/inference/secrets.ts";
import { EMPTY_HASH, signature } from "../../src/inference/sigv4.ts";
import { parseModelUrl, targetOf } from "../../src/inference/target.ts";
import { hasProgram, testIf } from "../support/data.ts";
import { tempFolder } from "../support/temp.ts";
import { labelled } from "../volume/formats/fixtures.ts";
import { askConfigured, configOf } from "./configured.ts";
import { goodAnswer, model, never } from "./support.ts";

const NIFTI = "request: { format: nifti }\n    attempts: 1";

async function outcomeOf(settings: string): Promise<unknown> {
  const asked = askConfigured(configOf(settings));
  return asked.then(
    ({ answer }) => answer.findings.layers,
    (error: unknown) =>
      error instanceof NodeError ? `${error.code}: ${error.message}` : Promise.reject(error as Error),
  );
}

test("a model behind a unix socket is asked like any other", async () => {
  await using folder = await tempFolder();
  const path = join(folder.path, "m.sock");
  const paths: (string | undefined)[] = [];
  const server = createHttp((request, response) => {
    paths.push(request.url);
    request.resume().on("end", () => response.end(goodAnswer));
  }).listen(path);
  await once(server, "listening");
  expect(await outcomeOf(`    url: "unix:${path}:/predict?a=b"\n    ${NIFTI}`)).toEqual([labelled]);
  expect(paths).toEqual(["/predict?a=b"]);
  server.close();
  expect(await outcomeOf(`    url: "unix:${path}.not:/predict"\n    ${NIFTI}`)).toMatch(
    /^MODEL_UNAVAILABLE: .*ENOENT/,
  );
});

function callTo(asked: Model): Omit<Call, "isWanted"> {
  const deadline = AbortSignal.timeout(20_000);
  const target = targetOf(asked, "");
  return { model: asked, target, method: "POST", headers: {}, maxBytes: 10_000, signal: never, deadline };
}

/** A certificate of that name; its own authority. */
async function certificate(
  folder: string,
  name: string,
): Promise<{ readonly cert: string; readonly key: string }> {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      "-subj",
      `/CN=${name}`,
    ].concat(["-addext", `subjectAltName=DNS:${name}`, "-keyout", key, "-out", cert]),
    { stdio: "ignore" },
  );
  return { cert, key };
}

testIf(hasProgram("openssl"), "openssl")(
  "TLS is checked against the authority of the config, and the node shows its own certificate; both may be renewed",
  async () => {
    await using folder = await tempFolder();
    const server = await certificate(folder.path, "gpu.example");
    const node = await certificate(folder.path, "node.example");
    const stranger = await certificate(folder.path, "stranger.example");
    const options = {
      cert: await readFile(server.cert),
      key: await readFile(server.key),
      ca: await readFile(node.cert),
    };
    const https = createHttps(
      { ...options, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        request.resume().on("end", () => response.end(goodAnswer));
      },
    );
    https.on("tlsClientError", () => {});
    https.listen(0, "127.0.0.1");
    await once(https, "listening");
    const url = `https://127.0.0.1:${(https.address() as AddressInfo).port}/predict`;
    const ask = (tls: string): Promise<unknown> =>
      outcomeOf(`    url: ${url}\n    ${NIFTI}\n    tls: { ${tls} }`);
    const own = `cert: ${node.cert}, key: ${node.key}`;
    const known = `ca: ${server.cert}, servername: gpu.example`;
    expect(await ask(`${known}, ${own}`)).toEqual([labelled]);
    expect(await ask(`${own}, servername: gpu.example`)).toMatch(/MODEL_UNAVAILABLE: .*SELF_SIGNED/);
    expect(await ask(`ca: ${server.cert}, ${own}, servername: other.example`)).toMatch(
      /MODEL_UNAVAILABLE: .*ALTNAME/,
    );
    expect(await ask(known)).toMatch(/MODEL_UNAVAILABLE/);
    expect(await ask(`${known}, cert: ${stranger.cert}, key: ${stranger.key}`)).toMatch(/MODEL_UNAVAILABLE/);
    expect(await ask(`${known}, cert: ${folder.path}/none.pem, key: ${node.key}`)).toMatch(
      "SECRET_MISSING: Model tested: a file of its tls settings cannot be read (ENOENT)",
    );

    // Renewed on disk while the node runs.
    const [cert, key] = [join(folder.path, "renewed.pem"), join(folder.path, "renewed.key")];
    const renew = async (pair: typeof node): Promise<void> => {
      await copyFile(pair.cert, cert);
      await copyFile(pair.key, key);
    };
    await using client = new ModelClient(new Map(), systemClock);
    const asked = model(url, { tls: { ca: server.cert, servername: "gpu.example", cert, key } });
    const exchange = () => client.exchange({ ...callTo(asked), isWanted: (status) => status === 200 });
    await renew(stranger);
    await expect(exchange()).rejects.toMatchObject({ code: "MODEL_UNAVAILABLE" });
    await renew(node);
    await expect(exchange()).resolves.toMatchObject({ status: 200 });
    https.closeAllConnections();
    https.close();
  },
);

test("a secret is that of its file, else that of the environment, and is read anew when it is refused", async () => {
  await using folder = await tempFolder();
  await mkdir(join(folder.path, "sub"));
  await writeFile(join(folder.path, "KEY"), "from the file\r\n");
  const secrets = new Secrets({ folder: folder.path }, { KEY: "from the environment", OTHER: "other" });
  expect([await secrets.valueOf("KEY"), await secrets.valueOf("OTHER")]).toEqual(["from the file", "other"]);
  await writeFile(join(folder.path, "KEY"), "another");
  expect(await secrets.valueOf("KEY")).toBe("from the file");
  expect(await secrets.reload(["KEY", "OTHER"])).toBe(true);
  expect(await secrets.valueOf("KEY")).toBe("another");
  expect(await secrets.reload(["KEY", "OTHER"])).toBe(false);
  expect(secrets.redacted("it was another, not this")).toBe("it was ***, not this");
  await rm(join(folder.path, "KEY"));
  expect(await secrets.reload(["KEY"])).toBe(true);
  expect(await secrets.valueOf("KEY")).toBe("from the environment");
  for (const name of ["NONE", "sub"])
    await expect(secrets.valueOf(name)).rejects.toMatchObject({
      code: "SECRET_MISSING",
      message: `Secret ${name}: not in ${folder.path} or the environment`,
    });
});

// The example of the AWS documentation, "Create a signed AWS API request": GET of IAM's ListUsers.
test("a request is signed as the AWS documentation has it", () => {
  const signed = signature(
    {
      method: "GET",
      url: new URL("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"),
      headers: { "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
      payloadHash: EMPTY_HASH,
    },
    {
      accessKey: "AKIDEXAMPLE",
      secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
      region: "us-east-1",
      service: "iam",
    },
    Date.UTC(2015, 7, 30, 12, 36, 0),
  );
  expect(signed).toEqual({
    "x-amz-date": "20150830T123600Z",
    authorization:
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, " +
      "SignedHeaders=content-type;host;x-amz-date, " +
      "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
  });
});

test.each([
  ["http://a:1/predict", "", "http://a:1/predict"],
  ["http://a:1/predict?x=1", "", "http://a:1/predict?x=1"],
  ["http://a:1/predict", "?output=all", "http://a:1/predict?output=all"],
  ["http://a:1/predict", "status", "http://a:1/predict/status"],
  ["http://a:1/predict/", "status", "http://a:1/predict/status"],
  ["http://a:1/v2/models/m/infer", "../ready", "http://a:1/v2/models/m/ready"],
  ["http://a:1/predict", "/health", "http://a:1/health"],
  ["http://a:1/predict", "http://a:1/jobs/7", "http://a:1/jobs/7"],
  ["unix:/run/m.sock:/predict", "/health", "http://localhost/health"],
])("seen from %s, %s is %s", (url, reference, wanted) => {
  const target = targetOf(model(url), reference);
  expect(target).toMatchObject({ isOwn: true, url: new URL(wanted) });
  expect(target.socketPath).toBe(url.startsWith("unix:") ? "/run/m.sock" : undefined);
});

test("what is no URL of a model is none", () => {
  for (const url of ["ftp://a/b", "a", "unix:run/m.sock:/a", "unix:/run/m.sock", "unix:/run/m.sock:a"])
    expect(parseModelUrl(url)).toBeUndefined();
});
