import type { Database } from "@scribe/database";
import type { JobPhase } from "@scribe/domain";
import type { Logger } from "@scribe/telemetry";
import { connectRedis } from "./connect-redis.ts";
import { listenForCancels } from "./listen-for-cancels.ts";
import { watchByPolling } from "./watch-by-polling.ts";

export type JobNotification = { type: "events" } | { type: "progress"; progress: number; phase: JobPhase };
export type JobListener = (notification: JobNotification) => void;

/**
 * Tells processes that something changed. Only hints travel here: who is told reads Postgres. What is lost is noticed
 * by the next look, at most two seconds later.
 */
export interface Notifications {
  /** At most four a second and job; without Redis the watchers see it in the row. */
  publishProgress(jobId: string, progress: { progress: number; phase: JobPhase }): void;
  /** New durable rows are there. */
  publishEvents(jobId: string): void;
  publishCancel(jobId: string): Promise<void>;
  /** `jobId` is null where a cancel may have been missed (the connection was lost): look at all. */
  onCancel(listener: (jobId: string | null) => void): () => void;
  /** Hears of a job until the returned function is called; many watchers of one job cost one subscription. */
  watch(jobId: string, listener: JobListener): () => void;
  close(): Promise<void>;
}

export interface NotificationsOptions {
  redisUrl?: string | undefined;
  db: Database;
  log: Logger;
}

const PROGRESS_INTERVAL_MS = 250;
/** How often watched rows are read: it is the only source without Redis, and a safety net beside it. */
const POLL_MS = { postgres: 250, redis: 2_000 } as const;
const channelOf = (jobId: string) => `scribe:job:${jobId}`;

export async function openNotifications({ redisUrl, db, log }: NotificationsOptions): Promise<Notifications> {
  const redis = redisUrl === undefined ? null : connectRedis(redisUrl, log);
  const polling = watchByPolling(db, log, redis ? POLL_MS.redis : POLL_MS.postgres);
  const cancels = listenForCancels(db, log);
  const lastProgress = new Map<string, number>();

  redis?.patient.on("message", (channel: string, message: string) => {
    const jobId = channel.slice(channelOf("").length);
    try {
      polling.tell(jobId, JSON.parse(message) as JobNotification);
    } catch (error) {
      log.warn({ err: error, channel }, "a notification could not be read");
    }
  });

  const publish = (jobId: string, notification: JobNotification) => {
    // Fire and forget: whoever misses it reads the row soon after.
    redis?.eager.publish(channelOf(jobId), JSON.stringify(notification)).catch(() => undefined);
  };

  return {
    publishProgress(jobId, { progress, phase }) {
      const now = performance.now();
      if (!redis || now - (lastProgress.get(jobId) ?? Number.NEGATIVE_INFINITY) < PROGRESS_INTERVAL_MS) return;
      lastProgress.set(jobId, now);
      if (lastProgress.size > 10_000) lastProgress.clear();
      publish(jobId, { type: "progress", progress, phase });
    },
    publishEvents(jobId) {
      publish(jobId, { type: "events" });
    },
    async publishCancel(jobId) {
      await db.pool.query("SELECT pg_notify($1, $2)", [cancels.channel, jobId]);
      publish(jobId, { type: "events" });
    },
    onCancel: cancels.onCancel,
    watch(jobId, listener) {
      const first = !polling.watches(jobId);
      const unwatch = polling.watch(jobId, listener);
      if (first) redis?.patient.subscribe(channelOf(jobId)).catch(() => undefined);
      return () => {
        unwatch();
        if (!polling.watches(jobId)) redis?.patient.unsubscribe(channelOf(jobId)).catch(() => undefined);
      };
    },
    async close() {
      polling.close();
      await cancels.close();
      redis?.disconnect();
    },
  };
}
