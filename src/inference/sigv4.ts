/**
 * AWS Signature Version 4, for models behind SageMaker and results in S3.
 *
 * In:   a request, credentials, the time.
 * Out:  the headers that sign it.
 * Pure.
 *
 * The payload is named UNSIGNED-PAYLOAD, which S3 takes over TLS, or is empty: a volume is not hashed to be sent.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 */
import { createHash, createHmac } from "node:crypto";

export interface Signed {
  readonly method: string;
  readonly url: URL;
  /** Lower case; all of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body, or undefined for UNSIGNED-PAYLOAD. */
  readonly payloadHash?: string;
}

export interface Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string;
  readonly region: string;
  readonly service: string;
}

/** Of no bytes. */
export const EMPTY_HASH = createHash("sha256").digest("hex");

/** @param now  ms since 1970 */
export function signature(
  request: Signed,
  credentials: Credentials,
  now: number,
): Readonly<Record<string, string>> {
  const time = new Date(now).toISOString().replaceAll(/[-:]|\.\d{3}/g, "");
  const scope = `${time.slice(0, 8)}/${credentials.region}/${credentials.service}/aws4_request`;
  const payload = request.payloadHash ?? "UNSIGNED-PAYLOAD";
  const added = {
    "x-amz-date": time,
    ...(credentials.service === "s3" && { "x-amz-content-sha256": payload }),
    ...(credentials.sessionToken !== undefined && { "x-amz-security-token": credentials.sessionToken }),
  };
  const signed = Object.entries({ host: request.url.host, ...request.headers, ...added })
    .map(([name, value]) => [name.toLowerCase(), value.trim().replaceAll(/ +/g, " ")] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const names = signed.map(([name]) => name).join(";");
  const canonical = [
    request.method,
    credentials.service === "s3" ? request.url.pathname : encodedTwice(request.url.pathname),
    queryOf(request.url),
    ...signed.map(([name, value]) => `${name}:${value}`),
    "",
    names,
    payload,
  ].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", time, scope, createHash("sha256").update(canonical).digest("hex")].join(
    "\n",
  );
  const key = [time.slice(0, 8), credentials.region, credentials.service, "aws4_request"].reduce<
    Buffer | string
  >((secret, part) => createHmac("sha256", secret).update(part).digest(), `AWS4${credentials.secretKey}`);
  const proof = createHmac("sha256", key).update(toSign).digest("hex");
  return {
    ...added,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope}, SignedHeaders=${names}, Signature=${proof}`,
  };
}

/** Every service but S3 wants the path encoded once more. */
function encodedTwice(path: string): string {
  return path
    .split("/")
    .map((step) => encodeURIComponent(step).replaceAll(/[!'()*]/g, percent))
    .join("/");
}

function queryOf({ searchParams }: URL): string {
  const encode = (text: string): string => encodeURIComponent(text).replaceAll(/[!'()*]/g, percent);
  return [...searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join("&");
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
