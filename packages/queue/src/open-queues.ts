import type { Database, DispatchedRow } from "@scribe/database";
import type { Logger } from "@scribe/telemetry";
import { type ConnectionOptions, createPostgresBackend, Queue, runMigrations, Worker, withBackend } from "bullmq";
import { Pool } from "pg";
import { connectRedis } from "./connect-redis.ts";
import { messageId, messageSchema, QUEUE_NAMES, type QueueKind } from "./queue-kinds.ts";
import { throttled } from "./throttled.ts";
import { withTimeLimit } from "./with-time-limit.ts";

/** A producer that cannot reach its store gives up after this; the row stays due, and the next sweep sends it. */
const SEND_LIMIT_MS = 5_000;
const CLOSE_LIMIT_MS = 5_000;
/** The schema of BullMQ's own tables where it runs on Postgres. */
const POSTGRES_SCHEMA = "bullmq";

export interface Consumer {
  /** Takes no further message; those in hand go on. */
  pause(): Promise<void>;
  /** Stops without waiting for what is in hand: the caller has ended or handed back that work. */
  close(): Promise<void>;
}

export interface ConsumeOptions {
  concurrency: number;
  /** A message is only a hint to try a claim. What this throws is logged, and the message is gone all the same. */
  handle(rowId: string): Promise<void>;
}

export interface Queues {
  readonly backend: "redis" | "postgres";
  /** @throws Error where the store is away; the caller takes the rows out of the window again */
  send(kind: QueueKind, rows: readonly DispatchedRow[]): Promise<void>;
  /** Of rows that were sent, those whose message the store no longer holds, or a worker took and did nothing with. */
  findLost<T extends { id: string; dispatch: number }>(kind: QueueKind, rows: readonly T[]): Promise<T[]>;
  consume(kind: QueueKind, options: ConsumeOptions): Consumer;
  /** Whether the store answers now. */
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

export interface QueuesOptions {
  redisUrl?: string | undefined;
  db: Database;
  log: Logger;
}

interface Store {
  backend: Queues["backend"];
  queue(name: string): Queue;
  worker(name: string, handle: (data: unknown) => Promise<void>, concurrency: number): Worker;
  ping(): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * BullMQ on Redis where `redisUrl` names one, else on its own Postgres backend. It carries hints only: what a worker
 * may do is decided by the claim, so losing all of it costs seconds.
 */
export async function openQueues({ redisUrl, db, log }: QueuesOptions): Promise<Queues> {
  const store = redisUrl === undefined ? await openPostgresStore(db) : openRedisStore(redisUrl, log);
  const queues = new Map<QueueKind, Queue>();
  const consumers: Consumer[] = [];
  const quiet = throttled((error: Error) =>
    log.warn({ err: error, backend: store.backend }, "the queue's store is in trouble"),
  );

  const queueOf = (kind: QueueKind): Queue => {
    let queue = queues.get(kind);
    if (!queue) {
      queue = store.queue(QUEUE_NAMES[kind]);
      queue.on("error", quiet);
      queues.set(kind, queue);
    }
    return queue;
  };

  return {
    backend: store.backend,

    async send(kind, rows) {
      const messages = rows.map((row) => ({
        name: kind,
        data: { id: row.id },
        opts: {
          jobId: messageId(row),
          priority: row.priority,
          attempts: 1,
          removeOnComplete: true,
          removeOnFail: true,
        },
      }));
      await withTimeLimit(queueOf(kind).addBulk(messages), SEND_LIMIT_MS, "sending to the queue");
    },

    async findLost(kind, rows) {
      const queue = queueOf(kind);
      const there = await withTimeLimit(
        Promise.all(rows.map(async (row) => isWaiting(await queue.getJob(messageId(row))))),
        SEND_LIMIT_MS,
        "asking the queue",
      );
      return rows.filter((_, index) => !there[index]);
    },

    consume(kind, { concurrency, handle }) {
      const worker = store.worker(
        QUEUE_NAMES[kind],
        async (data) => {
          const message = messageSchema.safeParse(data);
          if (!message.success) {
            log.error({ kind, data }, "a message that is none of ours was dropped");
            return;
          }
          await handle(message.data.id);
        },
        concurrency,
      );
      worker.on("error", quiet);
      worker.on("failed", (_job, error) => log.error({ err: error, kind }, "handling a message failed"));
      const consumer: Consumer = {
        pause: async () => await worker.pause(true),
        close: async () => {
          await withTimeLimit(worker.close(true), CLOSE_LIMIT_MS, "closing a consumer").catch(quiet);
        },
      };
      consumers.push(consumer);
      return consumer;
    },

    async ping() {
      return await withTimeLimit(store.ping(), 1_000, "asking the queue's store").then(
        () => true,
        () => false,
      );
    },

    async close() {
      await Promise.all(consumers.map((consumer) => consumer.close()));
      for (const queue of queues.values()) {
        await withTimeLimit(queue.close(), CLOSE_LIMIT_MS, "closing a queue").catch(quiet);
      }
      await withTimeLimit(store.close(), CLOSE_LIMIT_MS, "closing the queue's store").catch(quiet);
    },
  };
}

/** A claim follows at once where a worker takes a message; one that it has had for this long died with it, or sleeps. */
const CLAIM_LIMIT_MS = 5_000;

/** Whether a message is there and may still lead to a claim. Clocks may differ: one sent twice does no harm. */
function isWaiting(message: { processedOn?: number | undefined } | undefined): boolean {
  if (message === undefined) return false;
  const { processedOn } = message;
  return processedOn === undefined || Math.abs(Date.now() - processedOn) < CLAIM_LIMIT_MS;
}

/** Locks and stalls are BullMQ's own bookkeeping; only the claim protects a job, so they may be generous. */
const WORKER_OPTIONS = { lockDuration: 60_000, stalledInterval: 15_000, maxStalledCount: 1_000_000 } as const;

async function openPostgresStore(db: Database): Promise<Store> {
  const pool = new Pool({
    connectionString: db.directUrl,
    // A queue and a consumer of each kind listen on a connection each; the rest is for their queries.
    max: 12,
    application_name: "scribe-queue",
    options: `-c search_path=${POSTGRES_SCHEMA}`,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  pool.on("error", () => undefined);
  const client = await pool.connect();
  try {
    await runMigrations(client as never, POSTGRES_SCHEMA);
  } finally {
    client.release();
  }
  const bull = withBackend(createPostgresBackend);
  const connection = pool as never;
  return {
    backend: "postgres",
    queue: (name) => new bull.Queue(name, { connection }) as unknown as Queue,
    worker: (name, handle, concurrency) => {
      const worker = new bull.Worker(name, (job) => handle(job.data), { connection, concurrency, ...WORKER_OPTIONS });
      // A forced close leaves the wait for the next message running, and the process with it, for five seconds.
      const { backend } = worker as unknown as { backend: { disconnectBlocking(): Promise<void> } };
      worker.once("closing", () => void backend.disconnectBlocking());
      return worker as unknown as Worker;
    },
    ping: () => pool.query("SELECT 1"),
    close: () => pool.end(),
  };
}

function openRedisStore(redisUrl: string, log: Logger): Store {
  const redis = connectRedis(redisUrl, log);
  return {
    backend: "redis",
    queue: (name) => new Queue(name, { connection: redis.eager as unknown as ConnectionOptions }),
    worker: (name, handle, concurrency) =>
      new Worker(name, (job) => handle(job.data), {
        connection: redis.patient as unknown as ConnectionOptions,
        concurrency,
        ...WORKER_OPTIONS,
      }),
    ping: () => redis.eager.ping(),
    close: async () => redis.disconnect(),
  };
}
