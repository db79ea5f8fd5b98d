import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import {
  createOutboundClient,
  type Lookup,
  type OutboundClient,
  type OutboundPolicy,
  type OutboundRequest,
} from "../src/index.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

export const LOOPBACK_OPEN: OutboundPolicy = { allowPrivateNetworks: ["127.0.0.0/8"] };

const closers: (() => Promise<void> | void)[] = [];

/** Closes what the test has opened, the last first. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

export async function serve(
  handler: Handler,
  host = "127.0.0.1",
): Promise<{ port: number; connections: () => number }> {
  return await listen(createServer(handler), host);
}

/** A server that speaks whatever the test makes it say. */
export async function serveRaw(onConnection: (socket: Socket) => void) {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    onConnection(socket);
  });
  return await listen(server, "127.0.0.1");
}

export async function listen(server: Server | ReturnType<typeof createTcpServer>, host: string) {
  let connections = 0;
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.listen(0, host);
  await once(server, "listening");
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

export function open(
  policy: OutboundPolicy = LOOPBACK_OPEN,
  options: { lookup?: Lookup | undefined; ca?: string } = {},
): OutboundClient {
  const client = createOutboundClient(policy, options);
  closers.push(() => client.close());
  return client;
}

/** Why a request failed. */
export async function failure(promise: Promise<unknown>): Promise<string | undefined> {
  return await promise.then(
    () => "no failure",
    (error: { reason?: string; message?: string }) => error.reason ?? error.message,
  );
}

export async function read(client: OutboundClient, url: string, request: OutboundRequest = {}): Promise<string> {
  return await text((await client.fetchStream(url, request)).body);
}
