import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import {
  claimJob,
  type Database,
  ensureTenant,
  type NewJob,
  openDatabase,
  type TenantJobs,
  tenantJobs,
} from "@scribe/database";
import { createLogger } from "@scribe/telemetry";
import { createTestDatabase, type TestDatabase, waitFor } from "@scribe/testing";
import {
  type Consumer,
  createDispatcher,
  type Dispatcher,
  type JobNotification,
  type Notifications,
  openNotifications,
  openQueues,
  type Queues,
} from "../src/index.ts";

export interface QueueStore {
  redisUrl: string | undefined;
  /** Loses every message. */
  flush(db: Database): Promise<void>;
  stop(): Promise<void>;
}

const log = createLogger({ level: "silent", format: "json", name: "test" });

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

/** What must hold on either backend. */
export function queueContract(name: string, startStore: () => Promise<QueueStore>): void {
  describe(`the queue on ${name}`, () => {
    let store: QueueStore;
    let testDatabase: TestDatabase;
    let db: Database;
    let jobs: TenantJobs;
    let queues: Queues;
    let notifications: Notifications;

    beforeAll(async () => {
      store = await startStore();
      testDatabase = await createTestDatabase();
      db = openDatabase({
        url: testDatabase.url,
        poolSize: 5,
        encryptionKey: randomBytes(32),
        applicationName: "test",
      });
      queues = await openQueues({ redisUrl: store.redisUrl, db, log });
      notifications = await openNotifications({ redisUrl: store.redisUrl, db, log });
      await waitFor(() => queues.ping(), { what: "the queue's store" });
    });

    beforeEach(async () => {
      await db.pool.query("TRUNCATE tenants CASCADE");
      jobs = tenantJobs(db, (await ensureTenant(db, "default")).id);
    });

    afterAll(async () => {
      await notifications.close();
      await queues.close();
      await db.close();
      await testDatabase.drop();
      await store.stop();
    });

    /** Opens a dispatcher and a consumer for the test, and closes both behind it. */
    async function withParts<T>(
      parts: { sweepSeconds?: number; window?: number; concurrency?: number; handle: (id: string) => Promise<void> },
      work: (dispatcher: Dispatcher, consumer: Consumer) => Promise<T>,
    ): Promise<T> {
      const dispatcher = createDispatcher({
        db,
        queues,
        log,
        sweepSeconds: parts.sweepSeconds ?? 60,
        window: parts.window,
      });
      const consumer = queues.consume("transcription", { concurrency: parts.concurrency ?? 4, handle: parts.handle });
      try {
        return await work(dispatcher, consumer);
      } finally {
        await dispatcher.stop();
        await consumer.close();
      }
    }

    const claim = (id: string) => claimJob(db, id, { workerId: "w", leaseSeconds: 30 });

    test("a submitted job reaches a worker, once it is poked, and is claimed once", async () => {
      const claimed: string[] = [];
      await withParts(
        {
          handle: async (id) => {
            if (await claim(id)) claimed.push(id);
          },
        },
        async (dispatcher) => {
          const made = await Promise.all(Array.from({ length: 30 }, () => jobs.create(aJob())));
          for (const _ of made) dispatcher.poke("transcription");
          // The window holds 16; claims make room, and whoever claims pokes again.
          await waitFor(
            () => {
              dispatcher.poke("transcription");
              return claimed.length === 30;
            },
            { what: "thirty claims" },
          );
          expect(new Set(claimed)).toEqual(new Set(made.map(({ id }) => id)));
        },
      );
    });

    test("a job of higher priority overtakes those that wait in the window", async () => {
      const order: string[] = [];
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      await withParts(
        {
          concurrency: 1,
          handle: async (id) => {
            if (!(await claim(id))) return;
            order.push(id);
            await held;
          },
        },
        async (dispatcher) => {
          const first = await jobs.create(aJob());
          dispatcher.poke("transcription");
          await waitFor(() => order.length === 1, { what: "the first claim" });
          const normal = await jobs.create(aJob());
          dispatcher.poke("transcription");
          const high = await jobs.create(aJob({ priority: 1 }));
          dispatcher.poke("transcription");
          // A row is in the window a moment before its message is in the store.
          await waitFor(
            async () => {
              const { rows } = await db.pool.query<{ id: string; dispatch: number }>(
                "SELECT id, dispatch_count AS dispatch FROM jobs WHERE dispatched_at IS NOT NULL",
              );
              return rows.length === 2 && (await queues.findLost("transcription", rows)).length === 0;
            },
            { what: "both messages in the store" },
          );
          release();
          await waitFor(() => order.length === 3, { what: "three claims" });
          expect(order).toEqual([first.id, high.id, normal.id]);
        },
      );
    });

    test("a message that a worker took and died with counts as lost", async () => {
      let taken = false;
      const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
      await withParts(
        {
          handle: async () => {
            taken = true;
            await woken;
          },
        },
        async (dispatcher) => {
          const { id } = await jobs.create(aJob());
          dispatcher.poke("transcription");
          await waitFor(() => taken, { what: "the message to be taken" });
          const row = { id, dispatch: 1 };
          expect(await queues.findLost("transcription", [row])).toEqual([]);
          const now = Date.now;
          Date.now = () => now() + 6_000;
          try {
            expect(await queues.findLost("transcription", [row])).toEqual([row]);
          } finally {
            Date.now = now;
            wake();
          }
        },
      );
    });

    test("a tenant with one job is not kept waiting by another's thousand", async () => {
      const other = tenantJobs(db, (await ensureTenant(db, "other")).id);
      for (let i = 0; i < 100; i++) await jobs.create(aJob());
      const single = await other.create(aJob());
      const order: string[] = [];
      await withParts(
        {
          concurrency: 1,
          handle: async (id) => {
            if (await claim(id)) order.push(id);
          },
        },
        async (dispatcher) => {
          dispatcher.poke("transcription");
          await waitFor(() => order.length >= 3, { what: "three claims" });
          expect(order.slice(0, 3)).toContain(single.id);
        },
      );
    });

    test("what the store lost is sent again by the sweep", async () => {
      const claimed: string[] = [];
      const sent = await Promise.all(Array.from({ length: 5 }, () => jobs.create(aJob())));
      const early = createDispatcher({ db, queues, log, sweepSeconds: 60 });
      early.poke("transcription");
      await waitFor(
        async () => (await db.pool.query("SELECT 1 FROM jobs WHERE dispatched_at IS NOT NULL")).rowCount === 5,
        { what: "five in the window" },
      );
      await early.stop();
      await store.flush(db);
      const repaired: number[] = [];
      const dispatcher = createDispatcher({
        db,
        queues,
        log,
        sweepSeconds: 0.2,
        onRepair: (_kind, count) => repaired.push(count),
      });
      const consumer = queues.consume("transcription", {
        concurrency: 4,
        handle: async (id) => {
          if (await claim(id)) claimed.push(id);
        },
      });
      dispatcher.start();
      await waitFor(() => claimed.length === 5, { what: "five claims" });
      expect(new Set(claimed)).toEqual(new Set(sent.map(({ id }) => id)));
      expect(repaired.reduce((sum, count) => sum + count, 0)).toBe(5);
      await dispatcher.stop();
      await consumer.close();
    });

    test("a message that still waits is not sent twice by the sweep", async () => {
      await jobs.create(aJob());
      const repaired: number[] = [];
      const dispatcher = createDispatcher({
        db,
        queues,
        log,
        sweepSeconds: 0.1,
        onRepair: (_kind, count) => repaired.push(count),
      });
      dispatcher.start();
      await new Promise((resolve) => setTimeout(resolve, 800));
      await dispatcher.stop();
      const { rows } = await db.pool.query("SELECT dispatch_count FROM jobs");
      expect(rows).toEqual([{ dispatch_count: 1 }]);
      expect(repaired).toEqual([]);
      await store.flush(db);
    });

    test("a job whose lease ran out is sent again by the sweep, and its epoch rises", async () => {
      const job = await jobs.create(aJob());
      await claimJob(db, job.id, { workerId: "dead", leaseSeconds: 0.2 });
      const epochs: number[] = [];
      await withParts(
        {
          sweepSeconds: 0.2,
          handle: async (id) => {
            const claimed = await claim(id);
            if (claimed) epochs.push(claimed.leaseEpoch);
          },
        },
        async (dispatcher) => {
          dispatcher.start();
          await waitFor(() => epochs.length === 1, { what: "the second claim" });
          expect(epochs).toEqual([2]);
        },
      );
    });

    test("a handler that throws costs the message, not the job", async () => {
      const seen: string[] = [];
      const job = await jobs.create(aJob());
      await withParts(
        {
          sweepSeconds: 0.2,
          handle: async (id) => {
            seen.push(id);
            if (seen.length === 1) throw new Error("the database went away");
            await claim(id);
          },
        },
        async (dispatcher) => {
          dispatcher.start();
          await waitFor(async () => (await jobs.get(job.id))?.status === "processing", { what: "a claim" });
          expect(seen.length).toBeGreaterThan(1);
        },
      );
    });

    test("watchers hear of new events and of progress, however many there are", async () => {
      const job = await jobs.create(aJob());
      const heard: JobNotification[][] = [[], []];
      const unwatch = heard.map((list) => notifications.watch(job.id, (notification) => list.push(notification)));
      await claim(job.id);
      notifications.publishEvents(job.id);
      await waitFor(() => heard.every((list) => list.some(({ type }) => type === "events")), { what: "the event" });
      await db.pool.query("UPDATE jobs SET progress = 42, phase = 'transcribing' WHERE id = $1", [job.id]);
      notifications.publishProgress(job.id, { progress: 42, phase: "transcribing" });
      await waitFor(() => heard.every((list) => list.some((n) => n.type === "progress" && n.progress === 42)), {
        what: "the progress",
      });
      for (const stop of unwatch) stop();
    });

    test("a cancel is heard by whoever listens", async () => {
      const heard: (string | null)[] = [];
      const stop = notifications.onCancel((jobId) => heard.push(jobId));
      const job = await jobs.create(aJob());
      await waitFor(
        async () => {
          await notifications.publishCancel(job.id);
          return heard.includes(job.id);
        },
        { what: "the cancel" },
      );
      stop();
    });
  });
}
