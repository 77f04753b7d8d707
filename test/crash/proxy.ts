/** A TCP proxy that sees what the node sends: each piece can be counted, or be the node's last. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Proxy extends AsyncDisposable {
  readonly port: number;
}

/** Called for each piece that the node sent. @returns false: the peer is not to get it */
export type OnSent = () => boolean;

/**
 * @param to    where connections go, asked for each one; undefined: nobody listens
 * @param from  which side the node is on
 */
export async function startProxy(
  to: () => number | undefined,
  from: "caller" | "called",
  onSent: OnSent,
): Promise<Proxy> {
  const open = new Set<Socket>();
  const server = createServer((caller) => {
    const port = to();
    if (port === undefined) return void caller.destroy();
    const called = connect(port, "127.0.0.1");
    const node = from === "caller" ? caller : called;
    const peer = from === "caller" ? called : caller;
    for (const [socket, other] of [
      [caller, called],
      [called, caller],
    ] as const) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {}); // "close" follows
      socket.on("end", () => other.end());
      socket.on("close", () => {
        open.delete(socket);
        other.destroy();
      });
    }
    node.on("data", (piece) => {
      if (onSent()) peer.write(piece);
    });
    peer.on("data", (piece) => node.write(piece));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
