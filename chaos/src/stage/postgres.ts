import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "@scribe/database";
import { waitFor } from "@scribe/testing";
import { Client } from "pg";

export interface StagePostgres {
  url: string;
  /** SIGKILL to the server, as a crash of its machine's process; `restart` brings it back with what it had written. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** A Postgres for one stage alone, which keeps its data and port over being killed. */
export async function startStagePostgres(): Promise<StagePostgres> {
  const dataDir = mkdtempSync(join(tmpdir(), "scribe-chaos-postgres-"));
  chmodSync(dataDir, 0o755);
  // As in production: without fsync our Postgres has no synchronous commit either, and one that is killed then loses what
  // it had acknowledged.
  let server: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir, fsync: true });
  const { url } = server;
  const port = Number(new URL(url).port);
  let folder = await askDataFolder(url);

  return {
    url,
    async kill() {
      const pid = Number(readFileSync(join(folder, "postmaster.pid"), "utf8").split("\n")[0]);
      process.kill(pid, "SIGKILL");
      await waitFor(() => !isAlive(pid), { what: "the end of Postgres", timeoutMs: 5_000 });
    },
    async restart() {
      await server.stop();
      server = await startEmbeddedPostgres({ dataDir, port, fsync: true });
      folder = await askDataFolder(url);
    },
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function askDataFolder(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ data_directory: string }>("SHOW data_directory");
    return rows[0]!.data_directory;
  } finally {
    await client.end();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie is as good as gone.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
