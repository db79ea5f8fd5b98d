import { createServer, type Server } from "node:net";

/** A listener inside that nobody may ever reach. */
export interface Canary {
  port: number;
  /** Connections so far: who came, from where. */
  connections: string[];
  close(): Promise<void>;
}

/** Listens on every address of this machine, IPv4 and IPv6, on one port. Who comes to `allowed` may. */
export async function openCanary(allowed: string): Promise<Canary> {
  const connections: string[] = [];
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    if (socket.localAddress?.endsWith(allowed)) return void socket.destroy();
    connections.push(`${socket.remoteAddress} → ${socket.localAddress}:${socket.localPort}`);
    socket.end("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\ninside");
  });
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    server.listen({ port: 0, host: "::" }, done);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    connections,
    close: () => new Promise((done) => server.close(() => done())),
  };
}
