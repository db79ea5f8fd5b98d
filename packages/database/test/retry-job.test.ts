import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { JobError } from "@scribe/domain";
import { completeJob, failAttempt, NotRetryable, recordAudio, recordWindow } from "../src/index.ts";
import { anOutcome, aWindow, type DatabaseBench, openBench, WITH_WEBHOOK } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const key = "018f0000-0000-7000-8000-000000000000";
const stored = { apiKeyId: key, isStored: async () => true };
const gone = { apiKeyId: key, isStored: async () => false };
const upload = { source: { kind: "upload", uploadId: key }, audioKey: "audio/a" } as const;
const final = { maxAttempts: 1, backoffSeconds: () => 0 };

test("a retry has source, options and the finished windows of the old job, and tells its watchers of them", async () => {
  const old = await bench.running({
    ...{ ...WITH_WEBHOOK, webhookSecret: "own", recordingId: "r", metadata: { a: 1 }, options: { language: "he" } },
  });
  await recordAudio(bench.db, old.lease, { key: "audio/a", sha256: "0".repeat(64), bytes: 3 });
  await recordWindow(bench.db, old.lease, aWindow(0, 1));
  await failAttempt(bench.db, old.lease, new JobError("internal", "no"), final);
  const made = (await bench.jobs.retry(old.id, stored))!;
  expect(made).toMatchObject({
    ...{ retryOf: old.id, status: "pending", attempts: 0, recordingId: "r", metadata: { a: 1 }, apiKeyId: key },
    ...{ source: old.source, options: { language: "he" }, audioKey: "audio/a", audioBytes: 3 },
    ...{ webhookUrl: WITH_WEBHOOK.webhookUrl, webhookEvents: [...WITH_WEBHOOK.webhookEvents] },
  });
  expect(made.id).not.toBe(old.id);
  expect((await bench.events(made.id)).map(({ ordinal, type }) => [ordinal, type])).toEqual([
    [1, "status"],
    [2, "segment"],
    [3, "segment"],
  ]);
  const claimed = await bench.claim(made.id);
  expect(claimed).toMatchObject({ checkpoint: aWindow().checkpoint, segmentCount: 2 });
  await recordWindow(bench.db, claimed.lease, aWindow(2));
  await completeJob(bench.db, claimed.lease, anOutcome());
  expect((await bench.events(made.id)).map(({ ordinal }) => ordinal)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect((await bench.jobs.segments(made.id)).map(({ id }) => id)).toEqual([0, 1, 2]);
  expect(await bench.jobs.segments(old.id)).toHaveLength(2);
  expect((await bench.deliveries(made.id)).map(({ type }) => type)).toEqual(["job.started", "job.completed"]);
});

test("a cancelled job is tried again from the start where it had not begun", async () => {
  const old = await bench.create(upload);
  await bench.jobs.cancel(old.id);
  const made = (await bench.jobs.retry(old.id, stored))!;
  expect(await bench.claim(made.id)).toMatchObject({ checkpoint: null, segmentCount: 0 });
});

test("a URL whose audio is gone is fetched again, from the first window", async () => {
  const old = await bench.running();
  await recordAudio(bench.db, old.lease, { key: "audio/b", sha256: "0".repeat(64), bytes: 3 });
  await recordWindow(bench.db, old.lease, aWindow(0));
  await bench.jobs.cancel(old.id);
  const made = (await bench.jobs.retry(old.id, gone))!;
  expect(made).toMatchObject({ audioKey: null, source: old.source });
  expect(await bench.claim(made.id)).toMatchObject({ checkpoint: null, segmentCount: 0 });
});

test.each([
  ["pending", async (id: string) => void id],
  ["processing", async (id: string) => void (await bench.claim(id))],
])("a %s job is not tried again", async (_, go) => {
  const { id } = await bench.create();
  await go(id);
  await expect(bench.jobs.retry(id, stored)).rejects.toMatchObject({ reason: "not_ended" });
});

test("a completed job is not tried again, nor one whose upload is gone, nor another tenant's", async () => {
  const done = await bench.running();
  await completeJob(bench.db, done.lease, anOutcome());
  await expect(bench.jobs.retry(done.id, stored)).rejects.toThrow(NotRetryable);
  const { id } = await bench.create(upload);
  await bench.jobs.cancel(id);
  await expect(bench.jobs.retry(id, gone)).rejects.toMatchObject({ reason: "audio_gone" });
  const { jobs } = await bench.addTenant();
  expect(await jobs.retry(id, stored)).toBeNull();
});

test("a retry that meets the release of its audio makes no job", async () => {
  const { id } = await bench.create(upload);
  await bench.jobs.cancel(id);
  const isStored = async () => {
    await bench.sql("UPDATE jobs SET audio_key = NULL WHERE id = $1", [id]);
    return true;
  };
  await expect(bench.jobs.retry(id, { apiKeyId: key, isStored })).rejects.toMatchObject({ reason: "audio_gone" });
  expect(await bench.sql("SELECT 1 FROM jobs WHERE retry_of = $1", [id])).toEqual([]);
});
