import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { JobError } from "@scribe/domain";
import { type BatchItem, completeJob, failAttempt, MAX_CRASHES, runRetention, tenantBatches } from "../src/index.ts";
import { aJob, anOutcome, type DatabaseBench, letLeaseRunOut, openBench, threeAttempts } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const items = (count: number): BatchItem[] => Array.from({ length: count }, (_, n) => ({ ...aJob(), line: n + 1 }));

async function make(count: number, over: { webhookUrl?: string; webhookSecret?: string } = {}) {
  const batches = tenantBatches(bench.db, bench.tenant.id);
  const { id } = await batches.create({ apiKeyId: null, metadata: {}, refused: [], items: items(count), ...over });
  const jobs = await bench.sql<{ id: string }>("SELECT id FROM jobs WHERE batch_id = $1 ORDER BY batch_line", [id]);
  return { id, jobs: jobs.map((job) => job.id), read: async () => (await batches.get(id))!, batches };
}

test("every way in which a job ends is counted, once", async () => {
  const { jobs, read } = await make(4);
  const [completed, failed, crashed, cancelled] = jobs as [string, string, string, string];
  await completeJob(bench.db, (await bench.claim(completed)).lease, anOutcome());
  const held = await bench.claim(failed);
  await failAttempt(bench.db, held.lease, new JobError("unsupported_audio", "no"), threeAttempts);
  // A late answer of the same attempt counts nothing.
  expect(await failAttempt(bench.db, held.lease, new JobError("internal", "no"), threeAttempts)).toBe("lost");
  for (let n = 0; n < MAX_CRASHES; n++) {
    await bench.claim(crashed);
    await letLeaseRunOut(bench, crashed);
  }
  await expect(bench.claim(crashed)).rejects.toThrow("could not be claimed");
  expect(await read()).toMatchObject({ completed: 1, failed: 2, cancelled: 0, endedAt: null });
  await bench.jobs.cancel(cancelled);
  await bench.jobs.cancel(cancelled);
  const batch = await read();
  expect(batch).toMatchObject({ total: 4, completed: 1, failed: 2, cancelled: 1, cancelledAt: null });
  expect(batch.endedAt).toBeInstanceOf(Date);
});

test("an end that cannot be told is no end: all of it, or nothing", async () => {
  const { jobs, read } = await make(1, { webhookUrl: "https://receiver.example/hook" });
  const { lease } = await bench.claim(jobs[0]!);
  await bench.sql("ALTER TABLE webhook_deliveries ADD CONSTRAINT broken CHECK (type <> 'batch.completed')");
  await expect(completeJob(bench.db, lease, anOutcome())).rejects.toThrow("broken");
  expect(await read()).toMatchObject({ completed: 0, endedAt: null });
  expect(await bench.jobs.get(jobs[0]!)).toMatchObject({ status: "processing" });
  await bench.sql("ALTER TABLE webhook_deliveries DROP CONSTRAINT broken");
  expect(await completeJob(bench.db, lease, anOutcome())).toBe(true);
  expect(await read()).toMatchObject({ completed: 1, endedAt: expect.any(Date) });
});

test("its secret is encrypted at rest, and goes with its delivery", async () => {
  const { jobs, read } = await make(1, { webhookUrl: "https://receiver.example/hook", webhookSecret: "canary" });
  const { webhookSecretEncrypted } = await read();
  expect(webhookSecretEncrypted).not.toContain("canary");
  await bench.jobs.cancel(jobs[0]!);
  const [delivery] = await bench.sql<{ secret: string }>(
    "SELECT secret_encrypted AS secret FROM webhook_deliveries WHERE type = 'batch.completed' ORDER BY created_at DESC LIMIT 1",
  );
  expect(bench.db.secrets.decrypt(delivery!.secret)).toBe("canary");
});

test("retention erases an old batch with its jobs, and leaves a young or live one", async () => {
  const [old, live] = [await make(2, { webhookUrl: "https://receiver.example/hook" }), await make(1)];
  await old.batches.cancel(old.id);
  await bench.sql("UPDATE jobs SET completed_at = now() - interval '3 hours' WHERE batch_id = $1", [old.id]);
  await bench.sql("UPDATE batches SET ended_at = now() - interval '3 hours' WHERE id = $1", [old.id]);
  const objects = {
    list: async function* () {},
    ...{ stat: async () => null, remove: async () => true, sweepTemporary: async () => 0 },
  };
  const signal = AbortSignal.timeout(20_000);
  const policy = { audioHours: 24, jobHours: 2 };
  await runRetention({ db: bench.db, objects, policy, actor: "retention", signal });
  expect(await old.batches.get(old.id)).toBeNull();
  expect(await bench.sql("SELECT 1 FROM jobs WHERE id = ANY($1)", [old.jobs])).toEqual([]);
  expect(await bench.sql("SELECT 1 FROM webhook_deliveries WHERE batch_id = $1", [old.id])).toEqual([]);
  expect(await bench.sql("SELECT action FROM audit WHERE target = $1", [old.id])).toEqual([{ action: "batch.erased" }]);
  expect(await live.read()).toMatchObject({ endedAt: null });
});
