import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Database, openDatabase } from "@scribe/database";
import { uuidV7 } from "@scribe/domain";
import { createLogger } from "@scribe/telemetry";
import { createTestDatabase, type TestDatabase, waitFor } from "@scribe/testing";
import { type Notifications, openNotifications } from "../src/index.ts";

const log = createLogger({ level: "silent", format: "json", name: "test" });
let testDatabase: TestDatabase;
let db: Database;
let notifications: Notifications;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  db = openDatabase({ url: testDatabase.url, poolSize: 2, encryptionKey: randomBytes(32), applicationName: "test" });
  notifications = await openNotifications({ db, log });
});
afterAll(async () => {
  await notifications.close();
  await db.close();
  await testDatabase.drop();
});

const LISTENERS = "FROM pg_stat_activity WHERE application_name = 'scribe-listen' AND datname = current_database()";

test("whoever begins to listen, or listens again after a lost connection, is told to look at all", async () => {
  const heard: (string | null)[] = [];
  const stop = notifications.onCancel((jobId) => heard.push(jobId));
  const second: (string | null)[] = [];
  const stopSecond = notifications.onCancel((jobId) => second.push(jobId));
  // A cancel before the first LISTEN would be missed.
  await waitFor(() => heard.length === 1, { what: "the first word" });
  expect(heard).toEqual([null]);

  const before = uuidV7();
  await notifications.publishCancel(before);
  await waitFor(() => heard.length === 2, { what: "the cancel" });
  // All listeners share one connection.
  expect((await db.pool.query(`SELECT pid ${LISTENERS}`)).rowCount).toBe(1);

  await db.pool.query(`SELECT pg_terminate_backend(pid) ${LISTENERS}`);
  await waitFor(() => heard.length === 3, { what: "the word after the loss" });
  const after = uuidV7();
  await notifications.publishCancel(after);
  await waitFor(() => heard.length === 4, { what: "the cancel after the loss" });
  expect(heard).toEqual([null, before, null, after]);
  expect(second).toEqual([null, before, null, after]);

  stop();
  stopSecond();
  await notifications.publishCancel(uuidV7());
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).toHaveLength(4);
});

test("a listener waits for a server that is away, and closing ends the waiting", async () => {
  const url = new URL(testDatabase.url);
  url.pathname = `/not_yet_${randomBytes(4).toString("hex")}`;
  const away = openDatabase({ url: url.href, poolSize: 1, encryptionKey: randomBytes(32), applicationName: "test" });
  const waiting = await openNotifications({ db: away, log });
  const heard: (string | null)[] = [];
  waiting.onCancel((jobId) => heard.push(jobId));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(heard).toEqual([]);
  await db.pool.query(`CREATE DATABASE ${url.pathname.slice(1)}`);
  await waitFor(() => heard.length === 1, { what: "the connection" });
  expect(heard).toEqual([null]);
  await waiting.close();
  await away.close();
  await db.pool.query(`DROP DATABASE ${url.pathname.slice(1)} WITH (FORCE)`);
});
