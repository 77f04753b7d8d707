/**
 * A stand-in for a model, as a process of its own: it reads the request, takes a fixed time, and answers with a label
 * map of the grid that was sent: one box of label 1.
 *
 *   node src/bench/model.ts
 *
 * How long it takes stands in the query of the request, ?ms=3000. Says {"port":…} on standard output when it is
 * ready, and ends when its standard input does.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { constants, gunzipSync, gzipSync } from "node:zlib";

const HEADER_BYTES = 352;
/** Compressed or not, the header is in it. */
const HEAD_BYTES = 16 * 1024;

process.stdin.resume().once("end", () => process.exit(0));

const server = createServer({ requestTimeout: 0 }, (request, response) => {
  answer(request, response).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    response.destroy();
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const serviceMs = Number(new URL(request.url ?? "/", "http://localhost").searchParams.get("ms"));
  const head: Uint8Array[] = [];
  let kept = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    if (kept >= HEAD_BYTES) continue;
    head.push(chunk);
    kept += chunk.length;
  }
  const done = sleep(serviceMs);
  const body = labelMapFor(headerIn(Buffer.concat(head)));
  await done;
  response.writeHead(200, { "content-type": "application/gzip", "content-length": body.length }).end(body);
}

function headerIn(head: Buffer): Buffer {
  const isGzip = head[0] === 0x1f && head[1] === 0x8b;
  const plain = isGzip
    ? gunzipSync(head.subarray(0, HEAD_BYTES), { finishFlush: constants.Z_SYNC_FLUSH })
    : head;
  return Buffer.from(plain.subarray(0, HEADER_BYTES));
}

/** By size: the answer is the same each time, but for the affine in its header. */
const known = new Map<string, Buffer>();

function labelMapFor(header: Buffer): Buffer {
  const size = [42, 44, 46].map((at) => header.readInt16LE(at));
  const [columns = 0, rows = 0, slices = 0] = size;
  header.writeInt16LE(2, 70); // uint8
  header.writeInt16LE(8, 72);
  const key = `${size.join()} ${header.toString("base64")}`;
  const before = known.get(key);
  if (before) return before;
  const voxels = Buffer.alloc(columns * rows * slices);
  const middle = (n: number): readonly [number, number] => [Math.floor(n * 0.4), Math.ceil(n * 0.6)];
  for (let k = middle(slices)[0]; k < middle(slices)[1]; k++)
    for (let j = middle(rows)[0]; j < middle(rows)[1]; j++) {
      const row = (k * rows + j) * columns;
      voxels.fill(1, row + middle(columns)[0], row + middle(columns)[1]);
    }
  const made = gzipSync(Buffer.concat([header, voxels]), { level: 1 });
  known.set(key, made);
  return made;
}
