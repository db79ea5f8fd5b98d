import { afterEach, expect, test } from "@jest/globals";
import { createTestDatabase, type TestDatabase } from "@scribe/testing";
import { Client } from "pg";
import { migrateDatabase, migrationStatus } from "../src/index.ts";

let database: TestDatabase;
afterEach(() => database.drop());

test("a fresh database has all pending; ten that migrate at once leave it up to date, each migration applied once", async () => {
  database = await createTestDatabase({ migrate: null });
  const before = await migrationStatus(database);
  expect(before).toMatchObject({ applied: [], drift: null });
  expect(before.pending.length).toBeGreaterThan(0);
  const runs = await Promise.all(Array.from({ length: 10 }, () => migrateDatabase(database)));
  expect(runs.flatMap(({ applied }) => applied)).toEqual(before.pending);
  expect(await migrationStatus(database)).toEqual({ applied: before.pending, pending: [], drift: null });
}, 60_000);

test("a table that somebody changed by hand is told as drift", async () => {
  database = await createTestDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query("ALTER TABLE jobs ADD COLUMN mood text, DROP COLUMN retry_of");
  await client.end();
  const { drift } = await migrationStatus(database);
  expect(drift).toContain('DROP COLUMN "mood"');
  expect(drift).toContain('ADD COLUMN     "retry_of"');
}, 60_000);
