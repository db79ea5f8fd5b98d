import { startTestRedis } from "@scribe/testing";
import { Redis } from "ioredis";
import { queueContract } from "./queue-contract.ts";

queueContract("Redis", async () => {
  const redis = await startTestRedis();
  return {
    redisUrl: redis.url,
    flush: async () => {
      const client = new Redis(redis.url);
      await client.flushall();
      client.disconnect();
    },
    stop: () => redis.stop(),
  };
});
