import { randomBytes } from "node:crypto";
import type { EngineCheckpoint, Segment } from "@scribe/domain";
import { createTestDatabase } from "@scribe/testing";
import {
  type Claimed,
  claimJob,
  type Database,
  ensureTenant,
  type FinishedWindow,
  type JobEventRow,
  type JobOutcome,
  type JobRow,
  type Lease,
  type NewJob,
  openDatabase,
  type RetryPolicy,
  type TenantJobs,
  type TenantRow,
  tenantJobs,
} from "../src/index.ts";

/** A migrated database of its own with one tenant, and short ways to what tests ask of it. */
export interface DatabaseBench {
  db: Database;
  tenant: TenantRow;
  jobs: TenantJobs;
  /** Rows of a query, for looking at what no door shows. */
  sql<T = Record<string, unknown>>(text: string, values?: unknown[]): Promise<T[]>;
  addTenant(name?: string): Promise<{ id: string; jobs: TenantJobs }>;
  create(over?: Partial<NewJob>): Promise<JobRow>;
  /** Claims a job that can be claimed. */
  claim(id: string, leaseSeconds?: number): Promise<Claimed & { lease: Lease }>;
  /** Makes and claims a job. */
  running(over?: Partial<NewJob>): Promise<Claimed & { lease: Lease }>;
  events(jobId: string): Promise<JobEventRow[]>;
  deliveries(jobId: string): Promise<{ id: string; type: string; status: string; body: string }[]>;
  close(): Promise<void>;
}

export async function openBench({ poolSize = 10 } = {}): Promise<DatabaseBench> {
  const testDatabase = await createTestDatabase();
  const db = openDatabase({
    url: testDatabase.url,
    poolSize,
    encryptionKey: randomBytes(32),
    applicationName: "test",
    publicUrl: "https://scribe.example/",
  });
  const tenant = await ensureTenant(db, "default");
  const jobs = tenantJobs(db, tenant.id);
  const sql = async <T>(text: string, values: unknown[] = []) => (await db.pool.query(text, values)).rows as T[];
  const create = (over: Partial<NewJob> = {}) => jobs.create(aJob(over));
  const claim = async (id: string, leaseSeconds = 30) => {
    const claimed = await claimJob(db, id, { workerId: "w", leaseSeconds });
    if (claimed === null) throw new Error(`${id} could not be claimed`);
    return { ...claimed, lease: { jobId: id, epoch: claimed.leaseEpoch } };
  };
  return {
    db,
    tenant,
    jobs,
    sql,
    create,
    claim,
    async addTenant(name = randomBytes(4).toString("hex")) {
      const { id } = await ensureTenant(db, name);
      return { id, jobs: tenantJobs(db, id) };
    },
    running: async (over) => claim((await create(over)).id),
    events: (jobId) => sql("SELECT ordinal, type, data FROM job_events WHERE job_id = $1 ORDER BY ordinal", [jobId]),
    deliveries: (jobId) =>
      sql("SELECT id, type, status, body FROM webhook_deliveries WHERE job_id = $1 ORDER BY created_at, id", [jobId]),
    async close() {
      await db.close();
      await testDatabase.drop();
    },
  };
}

export const aJob = (over: Partial<NewJob> = {}): NewJob => ({
  apiKeyId: null,
  engine: "synthetic",
  model: "m",
  options: {},
  priority: 2,
  source: { kind: "url", url: "http://example.com/a.wav" },
  audioSeconds: 10,
  metadata: {},
  webhookEvents: [],
  ...over,
});

/** What makes a job tell its receiver of everything. */
export const WITH_WEBHOOK = {
  webhookUrl: "https://receiver.example/hook",
  webhookEvents: ["job.started", "job.completed", "job.failed", "job.cancelled"],
} as const;

export const aSegment = (id: number, text = `segment ${id}`): Segment => ({
  id,
  start: id,
  end: id + 1,
  text,
  avg_logprob: -0.1,
  no_speech_prob: 0,
  compression_ratio: 1,
  temperature: 0,
});

export const aCheckpoint = (processedSeconds = 1): EngineCheckpoint => ({
  fingerprint: "f",
  processedSeconds,
  state: { position: processedSeconds },
});

/** A finished window with the segments of these ids. */
export const aWindow = (...ids: number[]): FinishedWindow => ({
  segments: ids.map((id) => aSegment(id)),
  progress: 50,
  checkpoint: aCheckpoint(),
});

export const anOutcome = (over: Partial<JobOutcome> = {}): JobOutcome => ({
  text: "all of it",
  language: "en",
  languageProbability: 0.9,
  duration: 12.5,
  warnings: [],
  ...over,
});

export const threeAttempts: RetryPolicy = { maxAttempts: 3, backoffSeconds: () => 0 };

/** Lets a lease run out, on the database's clock. */
export async function letLeaseRunOut({ sql }: DatabaseBench, jobId: string): Promise<void> {
  await sql("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1", [jobId]);
}
