import { createHash } from "node:crypto";
import { countHit, type Database, forgetHits, type Hit } from "@scribe/database";
import type { Logger } from "@scribe/telemetry";
import { Redis } from "ioredis";
import { RedisStore } from "rate-limit-redis";
import { isLate } from "./wait-for-store.ts";

export const WINDOW_SECONDS = 60;
const FORGET_EVERY_MS = 60_000;

/** Counts hits in windows that begin with their first hit; one statement or script each, so all replicas share them. */
export interface HitCounter {
  /** @throws Error where the store is away or slow */
  count(bucket: string): Promise<Hit>;
  /** Whether a key's look-up can count its hit in the same statement. */
  countsWithLookup: boolean;
  close(): Promise<void>;
}

export function openHitCounter(o: { redisUrl?: string | undefined; db: Database; log: Logger }): HitCounter {
  return o.redisUrl === undefined ? openPostgresCounter(o) : openRedisCounter(o.redisUrl, o.log);
}

function openPostgresCounter({ db, log }: { db: Database; log: Logger }): HitCounter {
  const forget = setInterval(() => {
    forgetHits(db).catch((error) => log.warn({ err: error }, "counts that have ended were not removed"));
  }, FORGET_EVERY_MS).unref();
  return {
    countsWithLookup: true,
    count: (bucket) => inTime(countHit(db, bucket, WINDOW_SECONDS)),
    async close() {
      clearInterval(forget);
    },
  };
}

function openRedisCounter(redisUrl: string, log: Logger): HitCounter {
  const redis = new Redis(redisUrl, {
    connectTimeout: 5_000,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
  });
  let away = false;
  redis.on("error", (error) => {
    if (!away) log.warn({ err: error }, "Redis is away: requests are not counted");
    away = true;
  });
  redis.on("ready", () => {
    away = false;
  });
  const store = new RedisStore({
    prefix: "scribe:hits:",
    sendCommand: async (...[command = "", ...args]) => {
      const sent = redis.call(command, ...args) as Promise<never>;
      if (command !== "SCRIPT") return await sent;
      // A script's name is its SHA-1: where Redis is away now, it is loaded when first missed.
      return (await sent.catch(() =>
        createHash("sha1")
          .update(args[1] ?? "")
          .digest("hex"),
      )) as never;
    },
  });
  const ready = store.init({ windowMs: WINDOW_SECONDS * 1000 } as Parameters<RedisStore["init"]>[0]);
  return {
    countsWithLookup: false,
    async count(bucket) {
      await ready;
      const { totalHits, resetTime } = await inTime(store.increment(bucket));
      return { hits: totalHits, endsAt: resetTime ?? new Date(Date.now() + WINDOW_SECONDS * 1000) };
    },
    async close() {
      redis.disconnect();
    },
  };
}

/** What comes too late is counted all the same, and heard by nobody. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  if (await isLate(work)) {
    work.catch(() => undefined);
    throw new Error("The store of counts did not answer in time");
  }
  return await work;
}
