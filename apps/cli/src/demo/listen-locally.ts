import type { Server } from "node:http";

/** Starts `server` on a free port of 127.0.0.1. */
export async function listenLocally(server: Server): Promise<{ url: string; close(): Promise<void> }> {
  const url = await new Promise<string>((done, failed) => {
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      done(`http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`);
    });
  });
  return {
    url,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}
