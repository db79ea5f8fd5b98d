import { chmodSync, mkdtempSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@scribe/database";

/** Names the address where a test run's servers are handed out, in the environment of its processes. */
export const TEST_SERVERS = "SCRIBE_TEST_SERVERS";

/**
 * The servers that all files of a test run share: opened once by the process that lives as long as the run does. Nothing
 * starts before a test asks for it. Sets the environment name that `startTestPostgres` looks for.
 */
export async function openTestServers(): Promise<{ close(): Promise<void> }> {
  let postgres: Promise<EmbeddedPostgres> | undefined;
  const server = createServer(async (request, response) => {
    try {
      if (request.url !== "/postgres") throw new Error(`No such test server: ${request.url}`);
      postgres ??= startThrowAwayPostgres();
      response.end((await postgres).url);
    } catch (error) {
      response.statusCode = 500;
      response.end((error as Error).message);
    }
  });
  process.env[TEST_SERVERS] = await listen(server);
  return {
    async close() {
      delete process.env[TEST_SERVERS];
      server.closeAllConnections();
      server.close();
      await (await postgres?.catch(() => undefined))?.stop();
    },
  };
}

/** A Postgres of its own, whose data is removed when it stops. `fsync` is off unless asked for. */
export function startThrowAwayPostgres({ fsync = false } = {}): Promise<EmbeddedPostgres> {
  const dataDir = mkdtempSync(join(tmpdir(), "scribe-postgres-"));
  // Where we are root, Postgres runs as another user, who must be able to enter.
  chmodSync(dataDir, 0o755);
  return startEmbeddedPostgres({ dataDir, fsync, temporary: true });
}

function listen(server: Server): Promise<string> {
  return new Promise((done, failed) => {
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.unref();
      done(`http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`);
    });
  });
}
