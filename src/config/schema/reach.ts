/** Settings of the way to a model and back: credentials, TLS, limits, health; and what models may reach here. */
import * as z from "zod";
import type { Auth } from "../../inference/model.ts";
import { BUSY } from "../../inference/verdict.ts";
import { bytes, duration, expected, host, line, named, oneOf, section, text, url, whole } from "../kinds.ts";
import { json } from "./request.ts";
import { pointer, statuses, values } from "./transport.ts";

export const auth = oneOf({
  bearer: z
    .exactOptional(line(4096))
    .describe('Token sent as Authorization: Bearer; "${secret:NAME}" keeps it out of this file.'), // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config
  sigv4: z.exactOptional(
    section({
      region: line(64).describe("AWS region that the requests are signed for."),
      service: line(64).describe("AWS service, such as sagemaker."),
      accessKey: line(256).describe("Access key id, as a secret."),
      secretKey: line(256).describe("Secret access key, as a secret."),
      sessionToken: z.exactOptional(line(4096)).describe("Session token, for temporary credentials."),
    }),
  ),
}).transform(
  ({ bearer, sigv4 }): Auth =>
    sigv4 ? { kind: "sigv4", ...sigv4 } : { kind: "bearer", token: bearer ?? "" },
);

export const tls = section({
  ca: z
    .exactOptional(line(1024))
    .describe("PEM file of the authority that the server's certificate must come from."),
  cert: z
    .exactOptional(line(1024))
    .describe("PEM file of the node's own certificate, for servers that ask for one."),
  key: z.exactOptional(line(1024)).describe("PEM file of its key."),
  servername: z
    .exactOptional(host())
    .describe("Name in the server's certificate, where it is not that of the url."),
});

export const headers = named("headers", line(4096))
  .prefault({})
  .meta({ title: "headers by name" })
  .describe("Sent with every request; values may hold placeholders such as ${secret:NAME}."); // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config

export const params = named("values", json())
  .prefault({})
  .meta({ title: "values by name" })
  .describe("Values of your own for ${param:NAME}, above all for presets."); // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config

export const limits = section({
  requestBytes: z
    .exactOptional(bytes("1KiB", "1TiB"))
    .describe(
      "Largest request that the server takes; a larger one fails here, with its size, before a byte is sent.",
    ),
  ratio: whole(1, 2000).prefault(1100).describe("What a compressed answer may grow by; gzip ends at 1032."),
  retryAfter: duration("1s", "24h")
    .prefault("1m")
    .describe("The longest Retry-After of a busy server that is waited for."),
}).transform(({ retryAfter, ...rest }) => ({ ...rest, retryAfterMs: retryAfter }));

export const answerStatuses = section({
  ok: statuses().prefault([]).describe("Statuses that are answers, besides 200."),
  busy: statuses()
    .prefault([...BUSY])
    .describe("Statuses that mean: later."),
});

export const health = section({
  get: line(2048).describe("Path that says whether the model is ready; asked by check --live."),
  ready: statuses().prefault([200]).describe("Statuses that mean ready."),
  state: z.exactOptional(
    section({
      pointer: pointer().describe("Where a JSON answer says how the model is."),
      ready: values(1).describe("Values that mean ready."),
      busy: values(0).prefault([]).describe("Values that mean at work, which is well."),
    }),
  ),
}).transform(({ get, ...rest }) => ({ ...rest, path: get }));

export const sharedFolder = section({
  node: line(1024).describe("A folder that node and model share, as the node sees it."),
  model: line(1024).describe("The same folder, as the model's container sees it."),
});

export const origins = z
  .array(
    text("an origin such as https://store.example:9000", (written) =>
      /^https?:\/\/[^/?#\s@]+$/.test(written) && URL.canParse(written) ? written : undefined,
    ),
    { error: expected("a list of origins") },
  )
  .prefault([])
  .meta({ title: "origins" })
  .describe(
    "Other servers that an exchange or a result may be on; any other address in an answer is refused.",
  );

export const urlMap = z
  .record(line(1024), url(), { error: expected("URLs by prefix") })
  .prefault({})
  .meta({ title: "URLs by prefix" })
  .describe(
    'Beginnings of URLs as the server says them, and what the node asks instead: { "s3://bucket/": "https://…/" }.',
  );

export const modelAccess = section({
  host: host()
    .prefault("127.0.0.1")
    .describe("Address on which models fetch volumes (${volume.url}) and call back (${webhook.url})."), // oxlint-disable-line no-template-curly-in-string -- the placeholder of a config
  port: whole(0, 65535).prefault(11180).describe("Its TCP port; 0 takes any that is free."),
  url: z.exactOptional(url()).describe("How models reach that address, where it is not http://host:port."),
});

export const secrets = section({
  folder: z
    .exactOptional(line(1024))
    .describe(
      "Folder of files named like the secrets in them; without it, and for what is not there, the environment is asked.",
    ),
});
