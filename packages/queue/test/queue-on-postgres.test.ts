import { queueContract } from "./queue-contract.ts";

queueContract("Postgres", async () => ({
  redisUrl: undefined,
  flush: async (db) => {
    await db.pool.query("DELETE FROM bullmq.job");
  },
  stop: async () => {},
}));
