import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { uuidV7 } from "@scribe/domain";
import {
  claimDelivery,
  completeJob,
  finishDeliveryTry,
  type JobFilter,
  type JobRow,
  recordDecoded,
  recordWindow,
  type TenantJobs,
  tenantDeliveries,
  tenantUploads,
} from "../src/index.ts";
import { aJob, anOutcome, aSegment, aWindow, type DatabaseBench, openBench, WITH_WEBHOOK } from "./database-bench.ts";

const keepAll = () => Promise.reject(new Error("Nothing was to be removed."));

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const DAY_MS = 86_400_000;
const aKey = (key: string) => ({
  route: "/transcribe",
  key,
  fingerprint: "0".repeat(64),
  respond: (job: JobRow) => ({ status: 202, body: { job_id: job.id } }),
});

test("another tenant's ids find nothing, in any method", async () => {
  const other = await bench.addTenant();
  const job = await bench.jobs.create(aJob({ recordingId: "mine", ...WITH_WEBHOOK }), aKey("isolation"));
  const pending = await bench.create();
  const { lease } = await bench.claim(job.id);
  await recordDecoded(bench.db, lease, { durationSeconds: 7, warnings: [] });
  await recordWindow(bench.db, lease, aWindow(0));
  await completeJob(bench.db, lease, anOutcome());

  const asked = {
    create: async () => (await other.jobs.create(aJob({ id: uuidV7() }))).tenantId,
    findEqual: () =>
      other.jobs.findEqual({
        ...aJob({ id: uuidV7() }),
        webhookUrl: undefined,
        audioSha256: pending.audioSha256 ?? "x",
      }),
    keptAnswer: () => other.jobs.keptAnswer("/transcribe", "isolation"),
    get: () => other.jobs.get(job.id),
    getWhole: () => other.jobs.getWhole(job.id, { withResult: true }),
    list: () => other.jobs.list({ limit: 100, recordingId: "mine" }),
    queuePosition: () => other.jobs.queuePosition(pending),
    transcript: () => other.jobs.transcript(job.id),
    segments: () => other.jobs.segments(job.id),
    renameSpeakers: () => other.jobs.renameSpeakers(job.id, new Map()),
    events: () => other.jobs.events(job.id, 0, 100),
    cancel: () => other.jobs.cancel(pending.id),
    erase: () => other.jobs.erase(job.id, keepAll),
    retry: () => other.jobs.retry(job.id, { apiKeyId: uuidV7(), isStored: async () => true }),
    moveStream: () => other.jobs.moveStream(job.id, { from: 0, to: 1 }),
    counts: async () => (await other.jobs.counts()).completed,
    estimateAudioSeconds: () => other.jobs.estimateAudioSeconds(),
  } satisfies Record<keyof TenantJobs, () => Promise<unknown>>;
  // A method that is added later is asked here too.
  expect(Object.keys(asked).sort()).toEqual(Object.keys(bench.jobs).sort());
  const found = Object.fromEntries(
    await Promise.all(Object.entries(asked).map(async ([name, ask]) => [name, await ask()] as const)),
  );
  expect(found).toEqual({
    create: other.id,
    findEqual: null,
    keptAnswer: null,
    get: null,
    getWhole: null,
    list: [],
    queuePosition: null,
    transcript: null,
    segments: [],
    renameSpeakers: null,
    events: [],
    cancel: null,
    erase: null,
    retry: null,
    moveStream: false,
    counts: 0,
    estimateAudioSeconds: 300,
  });
  expect(await tenantDeliveries(bench.db, other.id).list({ jobId: job.id, limit: 100 })).toEqual([]);

  // And nothing happened to what was asked for.
  expect((await bench.jobs.get(job.id))?.status).toBe("completed");
  expect((await bench.jobs.get(pending.id))?.status).toBe("pending");
  expect(await bench.jobs.transcript(job.id)).toMatchObject({ text: "all of it", segments: [{ id: 0 }] });
  expect(await bench.jobs.events(job.id, 0, 100)).not.toEqual([]);
  expect(await tenantDeliveries(bench.db, bench.tenant.id).list({ jobId: job.id, limit: 100 })).toHaveLength(2);
});

describe("a list of jobs", () => {
  let jobs: TenantJobs;
  let made: JobRow[];
  beforeAll(async () => {
    ({ jobs } = await bench.addTenant());
    made = [];
    for (let i = 0; i < 25; i++) made.push(await jobs.create(aJob({ recordingId: `r${i % 2}` })));
    // Many in the same millisecond: the id decides.
    await bench.sql(
      `UPDATE jobs SET created_at = date_trunc('second', now()) - (row % 3) * interval '1 second'
       FROM (SELECT id, row_number() OVER (ORDER BY id) AS row FROM jobs WHERE tenant_id = $1) AS numbered
       WHERE jobs.id = numbered.id`,
      [made[0].tenantId],
    );
  });

  async function readAll(filter: Partial<JobFilter>, limit: number): Promise<JobRow[]> {
    const all: JobRow[] = [];
    for (;;) {
      const last = all.at(-1);
      const cursor = last && { createdAt: last.createdAt, id: last.id };
      const page = await jobs.list({ ...filter, limit, ...(cursor ? { cursor } : {}) });
      expect(page.length).toBeLessThanOrEqual(limit);
      all.push(...page);
      if (page.length < limit) return all;
    }
  }

  test.each([1, 4, 25, 100])("in pages of %i has no gap and no repeat, newest first", async (limit) => {
    const all = await readAll({}, limit);
    const keys = all.map(({ createdAt, id }) => `${createdAt.toISOString()} ${id}`);
    expect(keys).toEqual([...new Set(keys)].sort().reverse());
    expect(new Set(all.map(({ id }) => id))).toEqual(new Set(made.map(({ id }) => id)));
  });

  test("is not disturbed by jobs that come while it is read", async () => {
    const first = await jobs.list({ limit: 10 });
    const newer = await jobs.create(aJob());
    const cursor = { createdAt: first.at(-1)!.createdAt, id: first.at(-1)!.id };
    const second = await jobs.list({ limit: 100, cursor });
    expect([...first, ...second].map(({ id }) => id)).not.toContain(newer.id);
    expect(first.length + second.length).toBe(25);
    await bench.sql("DELETE FROM jobs WHERE id = $1", [newer.id]);
  });

  test("is filtered by status, recording and time", async () => {
    await jobs.cancel(made[3].id);
    expect((await jobs.list({ limit: 100, status: "cancelled" })).map(({ id }) => id)).toEqual([made[3].id]);
    const odd = await readAll({ recordingId: "r1" }, 5);
    expect(odd).toHaveLength(12);
    const middle = (await jobs.list({ limit: 100 }))[12].createdAt;
    const [before, after] = [await readAll({ createdBefore: middle }, 7), await readAll({ createdAfter: middle }, 7)];
    const same = 25 - before.length - after.length;
    expect(same).toBeGreaterThan(0);
    for (const { createdAt } of before) expect(createdAt < middle).toBe(true);
    for (const { createdAt } of after) expect(createdAt > middle).toBe(true);
  });
});

test("a position counts who waits before, by priority and age, over all tenants", async () => {
  await bench.sql("TRUNCATE tenants CASCADE");
  const [one, other] = [await bench.addTenant(), await bench.addTenant()];
  const low = await one.jobs.create(aJob({ priority: 3, audioSeconds: 5 }));
  const first = await one.jobs.create(aJob({ audioSeconds: 100.4 }));
  const second = await other.jobs.create(aJob({ audioSeconds: 50 }));
  const high = await one.jobs.create(aJob({ priority: 1, audioSeconds: 7 }));
  expect(await one.jobs.queuePosition(high)).toEqual({ position: 1, audio_seconds_ahead: 0 });
  expect(await one.jobs.queuePosition(first)).toEqual({ position: 2, audio_seconds_ahead: 7 });
  expect(await other.jobs.queuePosition(second)).toEqual({ position: 3, audio_seconds_ahead: 107 });
  expect(await one.jobs.queuePosition(low)).toEqual({ position: 4, audio_seconds_ahead: 157 });
  await bench.claim(high.id);
  expect(await one.jobs.queuePosition((await one.jobs.get(high.id))!)).toBeNull();
  expect(await one.jobs.queuePosition(first)).toEqual({ position: 1, audio_seconds_ahead: 0 });
});

test("an estimate is the mean of the last hundred decoded jobs, and five minutes where there are none", async () => {
  const { id, jobs } = await bench.addTenant();
  expect(await jobs.estimateAudioSeconds()).toBe(300);
  await bench.sql(
    `INSERT INTO jobs (id, tenant_id, engine, model, options, source, audio_seconds, duration, created_at)
     SELECT gen_random_uuid(), $1, 'e', 'm', '{}', '{}', 0, CASE WHEN n <= 100 THEN 20 ELSE 9999 END,
       now() - n * interval '1 minute' FROM generate_series(1, 150) AS n`,
    [id],
  );
  expect(await jobs.estimateAudioSeconds()).toBe(20);
});

describe("an erasure", () => {
  test("leaves no word of a job in any table", async () => {
    const { id: tenantId, jobs } = await bench.addTenant();
    const word = "canary";
    const storageKey = `audio/${word}`;
    const upload = await tenantUploads(bench.db, tenantId).create({
      state: "stored",
      filename: `${word}.wav`,
      sizeBytes: 1,
      storageKey,
      expiresAt: new Date(Date.now() + DAY_MS),
    });
    const job = await jobs.create(
      aJob({
        source: { kind: "upload", uploadId: upload.id },
        audioKey: storageKey,
        options: { prompt: word },
        recordingId: word,
        metadata: { [word]: word },
        ...WITH_WEBHOOK,
        webhookUrl: `https://receiver.example/${word}`,
      }),
      { ...aKey(word), respond: ({ id }) => ({ status: 202, body: { job_id: id, message: word } }) },
    );
    const { lease } = await bench.claim(job.id);
    await recordDecoded(bench.db, lease, { durationSeconds: 1, warnings: [word] });
    const segment = { ...aSegment(0, word), words: [{ word, start: 0, end: 1, probability: 1 }] };
    const checkpoint = { fingerprint: word, processedSeconds: 1, state: { text: word } };
    await recordWindow(bench.db, lease, { segments: [segment], progress: 50, checkpoint });
    await completeJob(bench.db, lease, anOutcome({ text: word, speakers: [word], warnings: [word] }));
    for (const { id } of await bench.deliveries(job.id)) {
      const claimed = (await claimDelivery(bench.db, id, { leaseSeconds: 30 }))!;
      const answer = { status: 500, durationMs: 1, error: word, responseExcerpt: word, outcome: "failed" } as const;
      await finishDeliveryTry(bench.db, { id, epoch: claimed.leaseEpoch }, answer);
    }
    const tables = await bench.sql<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    );
    const holding = async () => {
      const found: string[] = [];
      for (const { name } of tables) {
        const rows = await bench.sql(`SELECT 1 FROM "${name}" AS t WHERE t::text LIKE '%${word}%' OR t::text LIKE $1`, [
          `%${job.id}%`,
        ]);
        if (rows.length > 0) found.push(name);
      }
      return found.sort();
    };
    expect(await holding()).toEqual([
      "idempotency_records",
      "job_events",
      "jobs",
      "search_segments",
      "segments",
      "transcripts",
      "uploads",
      "webhook_attempts",
      "webhook_deliveries",
      "webhook_endpoints",
    ]);
    const removed: string[][] = [];
    const remove = async (keys: string[]) => void removed.push(keys);
    expect(await jobs.erase(job.id, remove)).toBe("erased");
    expect(removed).toEqual([[storageKey]]);
    expect(await holding()).toEqual([]);
    expect(await jobs.get(job.id)).toBeNull();
    expect(await jobs.erase(job.id, remove)).toBeNull();
  });

  test("is refused while the job lives", async () => {
    const { jobs } = await bench.addTenant();
    const job = await jobs.create(aJob());
    expect(await jobs.erase(job.id, keepAll)).toBe("live");
    await bench.claim(job.id);
    expect(await jobs.erase(job.id, keepAll)).toBe("live");
    expect(await jobs.get(job.id)).not.toBeNull();
  });

  test("leaves audio that another job still uses to it", async () => {
    const { jobs } = await bench.addTenant();
    const [one, other] = [await jobs.create(aJob({ audioKey: "a/1" })), await jobs.create(aJob({ audioKey: "a/1" }))];
    for (const { id } of [one, other]) await jobs.cancel(id);
    const without = await jobs.create(aJob());
    await jobs.cancel(without.id);
    const removed: string[][] = [];
    for (const { id } of [one, other, without]) await jobs.erase(id, async (keys) => void removed.push(keys));
    expect(removed).toEqual([[], ["a/1"], []]);
  });

  test("takes nothing where the audio cannot be removed, and all of it the next time", async () => {
    const { jobs } = await bench.addTenant();
    const job = await jobs.create(aJob({ audioKey: "a/2" }));
    await jobs.cancel(job.id);
    await expect(jobs.erase(job.id, () => Promise.reject(new Error("The store is away.")))).rejects.toThrow("away");
    expect(await jobs.get(job.id)).toMatchObject({ status: "cancelled", audioKey: "a/2" });
    expect(await jobs.erase(job.id, async () => {})).toBe("erased");
  });
});
