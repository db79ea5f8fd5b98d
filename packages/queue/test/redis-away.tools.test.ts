import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { claimJob, type Database, ensureTenant, openDatabase, type TenantJobs, tenantJobs } from "@scribe/database";
import { createLogger } from "@scribe/telemetry";
import { createTestDatabase, startTestRedis, type TestDatabase, type TestRedis, waitFor } from "@scribe/testing";
import { createDispatcher, type Notifications, openNotifications, openQueues, type Queues } from "../src/index.ts";
import { aJob } from "./queue-contract.ts";

const log = createLogger({ level: "silent", format: "json", name: "test" });
let redis: TestRedis;
let testDatabase: TestDatabase;
let db: Database;
let jobs: TenantJobs;
let queues: Queues;
let notifications: Notifications;

beforeAll(async () => {
  redis = await startTestRedis();
  testDatabase = await createTestDatabase();
  db = openDatabase({ url: testDatabase.url, poolSize: 5, encryptionKey: randomBytes(32), applicationName: "test" });
});
beforeEach(async () => {
  await db.pool.query("TRUNCATE tenants CASCADE");
  jobs = tenantJobs(db, (await ensureTenant(db, "default")).id);
  queues = await openQueues({ redisUrl: redis.url, db, log });
  notifications = await openNotifications({ redisUrl: redis.url, db, log });
  await waitFor(() => queues.ping(), { what: "Redis" });
});
afterEach(async () => {
  await queues.close();
  await notifications.close();
});
afterAll(async () => {
  await db.close();
  await testDatabase.drop();
  await redis.stop();
});

const inWindow = async () => (await db.pool.query("SELECT 1 FROM jobs WHERE dispatched_at IS NOT NULL")).rowCount ?? 0;
const sentTimes = async () => Number((await db.pool.query("SELECT dispatch_count FROM jobs")).rows[0].dispatch_count);

/** Tries to claim whatever comes, and says which jobs it got. */
function consume(claimed: string[]) {
  return queues.consume("transcription", {
    concurrency: 2,
    handle: async (id) => {
      if (await claimJob(db, id, { workerId: "w", leaseSeconds: 30 })) claimed.push(id);
    },
  });
}

test("a job that is submitted while Redis is down waits in Postgres, and is sent when Redis is back", async () => {
  const claimed: string[] = [];
  const consumer = consume(claimed);
  const dispatcher = createDispatcher({ db, queues, log, sweepSeconds: 0.3 });
  // A queue that has once been ready fails at once; one that never was waits for its limit.
  await queues.findLost("transcription", [{ id: "01900000-0000-7000-8000-000000000000", dispatch: 1 }]);
  await redis.kill();
  const job = await jobs.create(aJob());
  const startedMs = performance.now();
  await expect(queues.send("transcription", [{ id: job.id, dispatch: 1, priority: 1 }])).rejects.toThrow();
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  expect(await queues.ping()).toBe(false);

  dispatcher.poke("transcription");
  await waitFor(async () => (await sentTimes()) > 0, { what: "a try to send" });
  await waitFor(async () => (await inWindow()) === 0, { what: "an empty window" });
  expect(claimed).toEqual([]);

  dispatcher.start();
  await redis.restart();
  await waitFor(() => claimed.length === 1, { what: "the claim" });
  expect(claimed).toEqual([job.id]);
  await dispatcher.stop();
  await consumer.close();
});

test("a Redis that hangs costs a producer its time limit, and the rows leave the window", async () => {
  const job = await jobs.create(aJob());
  const dispatcher = createDispatcher({ db, queues, log, sweepSeconds: 60 });
  redis.pause();
  try {
    const startedMs = performance.now();
    expect(await queues.ping()).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    dispatcher.poke("transcription");
    await waitFor(async () => (await inWindow()) === 1, { what: "the row in the window" });
    await waitFor(async () => (await inWindow()) === 0, { what: "the row out of the window" });
    expect(performance.now() - startedMs).toBeLessThan(8_000);
  } finally {
    redis.resume();
  }
  // What hung may arrive after all; the next message is another, and the claim decides.
  const claimed: string[] = [];
  const consumer = consume(claimed);
  dispatcher.poke("transcription");
  await waitFor(() => claimed.length === 1, { what: "the claim" });
  expect(claimed).toEqual([job.id]);
  await dispatcher.stop();
  await consumer.close();
});

test("progress and events are read from the row while Redis is away", async () => {
  const job = await jobs.create(aJob());
  const heard: string[] = [];
  const stop = notifications.watch(job.id, (notification) => heard.push(notification.type));
  await redis.kill();
  await claimJob(db, job.id, { workerId: "w", leaseSeconds: 30 });
  notifications.publishEvents(job.id);
  notifications.publishProgress(job.id, { progress: 5, phase: "decoding" });
  await waitFor(() => heard.includes("events"), { what: "the look at the row" });
  stop();
  await redis.restart();
  await waitFor(() => queues.ping(), { what: "Redis" });
});

test("queues and notifications close while Redis is away", async () => {
  const [other, others] = await Promise.all([
    openQueues({ redisUrl: redis.url, db, log }),
    openNotifications({ redisUrl: redis.url, db, log }),
  ]);
  await waitFor(() => other.ping(), { what: "Redis" });
  other.consume("transcription", { concurrency: 1, handle: async () => {} });
  await redis.kill();
  const startedMs = performance.now();
  await other.close();
  await others.close();
  expect(performance.now() - startedMs).toBeLessThan(11_000);
  await redis.restart();
  await waitFor(() => queues.ping(), { what: "Redis" });
});
