import { randomBytes } from "node:crypto";
import { expect, test } from "@jest/globals";
import { migrationStatus, openDatabase } from "@scribe/database";
import { createLogger } from "@scribe/telemetry";
import { createTestDatabase } from "@scribe/testing";
import { openQueues } from "../src/index.ts";
import { queueContract } from "./queue-contract.ts";

queueContract("Postgres", async () => ({
  redisUrl: undefined,
  flush: async (db) => {
    await db.pool.query("DELETE FROM bullmq.job");
  },
  stop: async () => {},
}));

test("the queue's own tables, made by several processes at once, are no drift of ours", async () => {
  const testDatabase = await createTestDatabase();
  const options = { url: testDatabase.url, poolSize: 2, encryptionKey: randomBytes(32), applicationName: "test" };
  const db = openDatabase(options);
  const log = createLogger({ level: "silent", format: "json", name: "test" });
  const opened = await Promise.all(Array.from({ length: 4 }, () => openQueues({ db, log })));
  expect(await migrationStatus(testDatabase)).toMatchObject({ pending: [], drift: null });
  for (const queues of opened) await queues.close();
  await db.close();
  await testDatabase.drop();
});
