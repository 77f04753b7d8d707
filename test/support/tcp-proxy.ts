/** A TCP proxy that does to a connection what networks do: cuts it at a byte, resets it, slows it down, holds it. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Treatment {
  /** So many bytes from the client pass, then this happens; what is behind the proxy sees the connection close. */
  readonly cut?: { readonly after: number; readonly how: "close" | "reset" | "abort" };
  /** Bytes from the client that pass in a second; the proxy reads no faster. */
  readonly bytesPerSecond?: number;
}

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Bytes that came from the client, for each connection. */
  readonly received: readonly number[];
}

/** A-ABORT by the service provider, PS3.8 9.3.8. */
const ABORT = Buffer.from([7, 0, 0, 0, 0, 4, 0, 0, 2, 0]);
const TICK_MS = 20;

/** @param treatmentOf  of the n-th connection, from 0; undefined leaves it alone */
export async function startTcpProxy(
  to: number,
  treatmentOf: (at: number) => Treatment | undefined,
): Promise<TcpProxy> {
  const received: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const at = received.push(0) - 1;
    const behind = connect({ port: to, host: "127.0.0.1", noDelay: true });
    const { cut, bytesPerSecond } = treatmentOf(at) ?? {};
    for (const socket of [client.setNoDelay(true), behind]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    }
    behind.on("data", (chunk) => void client.write(chunk));
    behind.on("end", () => client.end()).on("close", () => client.destroy());
    client.on("end", () => behind.end()).on("close", () => behind.destroy());
    let budget = Number.POSITIVE_INFINITY;
    if (bytesPerSecond !== undefined) {
      budget = 0;
      client.pause();
      const timer = setInterval(() => {
        budget = Math.min(budget + (bytesPerSecond * TICK_MS) / 1000, bytesPerSecond);
        if (budget > 0) client.resume();
      }, TICK_MS);
      client.on("close", () => clearInterval(timer));
    }
    client.on("data", (chunk: Buffer) => {
      const before = received[at] ?? 0;
      received[at] = before + chunk.length;
      budget -= chunk.length;
      if (budget <= 0) client.pause();
      if (!cut || before + chunk.length < cut.after) return void behind.write(chunk);
      client.removeAllListeners("data");
      behind.end(chunk.subarray(0, cut.after - before));
      if (cut.how === "reset") client.resetAndDestroy();
      else if (cut.how === "abort") client.end(ABORT);
      else client.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    received,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
