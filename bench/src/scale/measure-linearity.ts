import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createKey, ensureTenant, openDatabase, tenantJobs } from "@scribe/database";
import { createTestDatabase, startProcess } from "@scribe/testing";
import { printTable } from "../print-table.ts";

const WORKER = resolve(import.meta.dirname, "../../../apps/worker/src/main.ts");
const SLOTS = 4;
const JOB_SECONDS = 5;
const WINDOWS = 4;
const JOBS_A_SLOT = 5;

/** One worker and four on this machine, with the synthetic engine: work that waits, as for a GPU. */
export async function measureLinearity(): Promise<void> {
  const rates = [await measure(1), await measure(4)];
  const [one = 0, four = 0] = rates;
  console.log(`\nReal workers, ${SLOTS} slots each, jobs of ${JOB_SECONDS} s in ${WINDOWS} windows:\n`);
  printTable(
    ["workers", "jobs a second", "of linear (%)"],
    [
      [1, one.toFixed(2), "100"],
      [4, four.toFixed(2), ((100 * four) / (4 * one)).toFixed(1)],
    ],
  );
}

/** Jobs a second, from the first claim to the last commit. */
async function measure(workers: number): Promise<number> {
  const database = await createTestDatabase();
  const folder = mkdtempSync(join(tmpdir(), "scribe-scale-"));
  const encryptionKey = randomBytes(32);
  const db = openDatabase({ url: database.url, poolSize: 4, encryptionKey, applicationName: "bench" });
  const env = {
    DATABASE_URL: database.url,
    SCRIBE_ENCRYPTION_KEY: encryptionKey.toString("base64"),
    SCRIBE_ENABLE_SYNTHETIC: "true",
    WORKER_CONCURRENCY: String(SLOTS),
    WORKER_PORT: "0",
    SWEEP_INTERVAL_SECONDS: "1",
    SHUTDOWN_GRACE_SECONDS: "1",
    LOG_LEVEL: "error",
  };
  const processes = Array.from({ length: workers }, (_, n) =>
    startProcess(WORKER, { ...env, SCRIBE_DATA_DIR: join(folder, String(n)) }),
  );
  try {
    const live = async () => (await db.pool.query("SELECT count(*)::int AS n FROM workers")).rows[0].n as number;
    while ((await live()) < workers) await sleep(100);
    const tenant = await ensureTenant(db, "default");
    const key = await createKey(db, { tenantId: tenant.id, name: "bench", scopes: ["transcribe"] });
    const jobs = tenantJobs(db, tenant.id);
    const count = workers * SLOTS * JOBS_A_SLOT;
    const script = { audio: false, windows: WINDOWS, delay_ms: (JOB_SECONDS * 1000) / WINDOWS };
    await Promise.all(
      Array.from({ length: count }, () =>
        jobs.create({
          ...{ apiKeyId: key.id, engine: "synthetic", model: "synthetic", options: {}, priority: 2, audioSeconds: 120 },
          ...{ source: { kind: "url" as const, url: "http://127.0.0.1:9/none" }, webhookEvents: [] },
          metadata: { synthetic: JSON.stringify(script) },
        }),
      ),
    );
    for (;;) {
      const { rows } = await db.pool.query(
        `SELECT count(*) FILTER (WHERE status = 'completed')::int AS done,
           extract(epoch FROM max(completed_at) - min(started_at))::float8 AS seconds FROM jobs`,
      );
      if (rows[0].done === count) return count / rows[0].seconds;
      await sleep(200);
    }
  } finally {
    await Promise.all(processes.map((child) => child.stop(5_000)));
    await db.close();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  }
}
