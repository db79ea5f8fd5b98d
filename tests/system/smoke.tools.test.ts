import { randomBytes } from "node:crypto";
import { createTestDatabase, startTestRedis } from "@scribe/testing";
import { describeMainPath } from "./smoke-suite.ts";

describeMainPath("with servers of one's own: DATABASE_URL and REDIS_URL", async () => {
  const [database, redis] = await Promise.all([createTestDatabase({ migrate: null }), startTestRedis()]);
  return {
    env: {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      SCRIBE_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
    },
    async stop() {
      await Promise.all([database.drop(), redis.stop()]);
    },
  };
});
