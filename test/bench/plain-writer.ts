/**
 * The least a Node program can do for a C-STORE: `plain-writer.ts FOLDER on|off`. It prints its port.
 *
 * Bytes from the socket go to a file, nothing of them is checked. With "on" an instance is answered when its file is
 * flushed (fdatasync), the folder is (fsync), and a line about it in a journal is (fdatasync): the flushes of the
 * node. Everything else that the node does is the difference between the two.
 */
import { type FileHandle, open } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { associateAc, elementsOf, pData, releaseRp, storeRsp } from "../support/raw-peer.ts";

const [, , folder = "", sync = "on"] = process.argv;
const isDurable = sync === "on";
const directory = await open(folder);
const journal = await open(join(folder, "journal"), "a");
let files = 0;

const server = createServer({ noDelay: true }, (socket) => void serve(socket).catch(() => socket.destroy()));
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));

/** What has come of one instance. */
interface Incoming {
  readonly messageId: number;
  readonly path: string;
  readonly file: Promise<FileHandle>;
  bytes: number;
}

async function serve(socket: Socket): Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let incoming: Incoming | undefined;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const values: Buffer[] = [];
    let isLast = false;
    let at = 0;
    while (at + 6 <= bytes.length && at + 6 + bytes.readUInt32BE(at + 2) <= bytes.length) {
      const end = at + 6 + bytes.readUInt32BE(at + 2);
      const type = bytes[at];
      if (type === 1)
        socket.write(
          associateAc([
            [1, 0, "1.2.840.10008.1.2.1"],
            [3, 3, "1.2.840.10008.1.2"],
          ]),
        );
      if (type === 5) socket.write(releaseRp);
      if (type === 4) {
        const control = bytes[at + 11] ?? 0;
        const value = bytes.subarray(at + 12, end);
        if (control & 1) incoming = begin(elementsOf(value).get(0x110)?.readUInt16LE(0) ?? 0);
        else values.push(value);
        isLast = (control & 3) === 2;
      }
      at = end;
    }
    rest = bytes.subarray(at);
    if (!incoming || values.length === 0) continue;
    const file = await incoming.file;
    const { bytesWritten } = await file.writev(values);
    incoming.bytes += bytesWritten;
    if (!isLast) continue;
    if (isDurable) await Promise.all([file.datasync(), directory.sync()]);
    void file.close();
    await journal.write(`${incoming.path} ${incoming.bytes}\n`);
    if (isDurable) await journal.datasync();
    socket.write(pData(1, 3, storeRsp(incoming.messageId, 0)));
    incoming = undefined;
  }
}

function begin(messageId: number): Incoming {
  files += 1;
  const path = join(folder, `${files}.dcm`);
  return { messageId, path, file: open(path, "wx", 0o600), bytes: 0 };
}
