import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Starts to listen; resolves with the port, and rejects in words where that cannot be. */
export async function listen(server: Server, port: number, host: string, setting: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "is in use by another program" : `cannot be used (${error.code})`;
      reject(new Error(`Port ${port} ${why}; ${setting} sets another.`, { cause: error }));
    });
    server.listen({ port, host }, resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** Stops accepting and waits for what is under way; when the signal comes, the rest is cut off. */
export async function closeServer(server: Server, signal: AbortSignal): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = () => server.closeAllConnections();
  if (signal.aborted) cut();
  else signal.addEventListener("abort", cut, { once: true });
  await closed;
  signal.removeEventListener("abort", cut);
}
