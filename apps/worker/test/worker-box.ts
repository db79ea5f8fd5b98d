import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { readConfig } from "@scribe/config";
import { createKey, type Database, ensureTenant, type NewJob, openDatabase, tenantJobs } from "@scribe/database";
import { uuidV7 } from "@scribe/domain";
import { createSyntheticEngine, secondsWithoutAudio } from "@scribe/engine-synthetic";
import { findFfmpeg } from "@scribe/media";
import { createOutboundClient } from "@scribe/outbound";
import { openNotifications } from "@scribe/queue";
import { createLocalStore } from "@scribe/storage";
import { createLogger, createMetrics, type Logger, NO_TRACER } from "@scribe/telemetry";
import { createTestDatabase } from "@scribe/testing";
import type { JobSettings, WorkerParts } from "../src/attempt.ts";
import { createEngineGate } from "../src/engine-gate.ts";
import { createFindSpeakers } from "../src/engines/find-speakers.ts";
import { createHeldJobs } from "../src/held-jobs.ts";
import { processJob } from "../src/process-job.ts";
import { createResultCache } from "../src/result-cache.ts";
import { openWorkFolder } from "../src/work-folder.ts";
import { createWorkerMetrics } from "../src/worker-metrics.ts";

export const ENCRYPTION_KEY = Buffer.alloc(32, 7);

export const log: Logger = createLogger({ level: process.env.TEST_LOG ?? "silent", format: "json", name: "test" });

export type WorkerBox = Awaited<ReturnType<typeof openWorkerBox>>;

/** Everything around the steps of a job, real: database, disk, ffmpeg, the synthetic engine. Private addresses allowed. */
export async function openWorkerBox(settings: Partial<JobSettings> = {}) {
  const database = await createTestDatabase();
  const folder = await mkdtemp(join(tmpdir(), "scribe-worker-"));
  const db = openDatabase({
    url: database.url,
    poolSize: 5,
    encryptionKey: ENCRYPTION_KEY,
    applicationName: "test",
  });
  const tenant = await ensureTenant(db, "default");
  const key = await createKey(db, { tenantId: tenant.id, name: "test", scopes: ["transcribe"] });
  const notifications = await openNotifications({ db, log });
  const outbound = createOutboundClient({ allowPrivateNetworks: ["127.0.0.0/8", "::1/128"] });
  const storage = createLocalStore({ root: join(folder, "audio") });
  const engine = createSyntheticEngine();
  const pokes: string[] = [];
  const closing = new AbortController();

  const makeParts = async (name: string, changes: Partial<JobSettings> = {}): Promise<WorkerParts> => ({
    workerId: name,
    db,
    storage,
    outbound,
    programs: await findFfmpeg({ production: false }),
    engines: new Map([["synthetic", { engine, secondsWithoutAudio }]]),
    findSpeakers: createFindSpeakers(readConfig({}).config, ["cpu"], { log, closing: closing.signal }),
    gate: createEngineGate(),
    held: createHeldJobs(),
    notifications,
    workFolder: await openWorkFolder(folder, name),
    resultCache: createResultCache({ engines: new Map([["synthetic", { engine }]]), speakers: "none" }),
    settings: {
      leaseSeconds: 30,
      maxAttempts: 3,
      timeLimitMs: () => 60_000,
      backoffSeconds: () => 0,
      maxAudioSeconds: 7200,
      maxAudioBytes: 50_000_000,
      decoderMemoryBytes: 2 ** 30,
      fetchTimeoutMs: 10_000,
      idleTimeoutMs: 5_000,
      ...settings,
      ...changes,
    },
    metrics: createWorkerMetrics(createMetrics({ defaults: false })),
    tracer: NO_TRACER,
    fail: () => {},
    log,
    poke: (kind) => pokes.push(kind),
  });
  const parts = await makeParts("worker-a");
  const jobs = tenantJobs(db, tenant.id);

  return {
    url: database.url,
    db,
    jobs,
    tenant,
    parts,
    makeParts,
    pokes,
    storage,
    folder,
    /** A job as the API would accept it; its script goes to `synthetic`. */
    create: (synthetic: Record<string, unknown> = {}, job: Partial<NewJob> = {}) =>
      jobs.create({
        apiKeyId: key.id,
        engine: "synthetic",
        model: "synthetic",
        options: {},
        priority: 2,
        source: { kind: "url", url: "http://127.0.0.1:9/none" },
        audioSeconds: 300,
        metadata: { synthetic: JSON.stringify(synthetic) },
        webhookEvents: [],
        ...job,
      }),
    /** The same, with its audio uploaded. */
    async upload(bytes: Uint8Array, synthetic: Record<string, unknown> = {}, job: Partial<NewJob> = {}) {
      const uploadId = uuidV7();
      const audioKey = `audio/${tenant.id}/${uploadId}/original`;
      const { sha256 } = await storage.put(audioKey, Readable.from([Buffer.from(bytes)]));
      const audio = { audioKey, audioSha256: sha256, audioBytes: bytes.length };
      return await this.create(synthetic, { source: { kind: "upload", uploadId }, ...audio, ...job });
    },
    work: (jobId: string, as: WorkerParts = parts) => processJob(jobId, as),
    row: async (jobId: string) => (await jobs.get(jobId))!,
    /** What workers have on disk now. */
    temporaryFiles: async () => await readdir(join(folder, "tmp"), { recursive: true }),
    async close() {
      closing.abort();
      await notifications.close();
      await outbound.close();
      await db.close();
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Ends a lease as time would. */
export async function expireLease(db: Database, jobId: string): Promise<void> {
  await db.pool.query("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = $1", [jobId]);
}
