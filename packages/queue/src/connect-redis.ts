import type { Logger } from "@scribe/telemetry";
import { Redis, type RedisOptions } from "ioredis";
import { throttled } from "./throttled.ts";

export interface RedisPair {
  /** Fails at once where Redis is away. */
  eager: Redis;
  /** Waits for Redis to come back. */
  patient: Redis;
  disconnect(): void;
}

/** Two connections with opposite manners: a producer must not hang, a consumer must not give up. */
export function connectRedis(redisUrl: string, log: Logger): RedisPair {
  const tell = throttled((error: Error) => log.warn({ err: error }, "Redis is away"));
  const connect = (options: RedisOptions): Redis => {
    const redis = new Redis(redisUrl, {
      connectTimeout: 5_000,
      retryStrategy: (times) => Math.min(times * 100, 2_000),
      ...options,
    });
    redis.on("error", tell);
    return redis;
  };
  const eager = connect({ enableOfflineQueue: false, maxRetriesPerRequest: 1 });
  const patient = connect({ maxRetriesPerRequest: null });
  return {
    eager,
    patient,
    disconnect() {
      eager.disconnect();
      patient.disconnect();
    },
  };
}
