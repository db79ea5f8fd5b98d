import { afterAll, expect, test } from "@jest/globals";
import pg from "pg";
import { createTestDatabase, startTestPostgres } from "../src/index.ts";

const drops: Array<() => Promise<void>> = [];
afterAll(async () => {
  for (const drop of drops) await drop();
});

async function query(url: string, sql: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

let migrations = 0;
async function migrateForThisTest({ url }: { url: string }) {
  migrations += 1;
  await query(url, "CREATE TABLE things (id int)");
}

test("all files of a run are given the same server", async () => {
  const [first, second] = [await startTestPostgres(), await startTestPostgres()];
  expect(second.url).toBe(first.url);
  await first.stop();
  expect(await query(second.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
});

test("databases made at the same time are migrated once, and are apart", async () => {
  const databases = await Promise.all([1, 2, 3].map(() => createTestDatabase({ migrate: migrateForThisTest })));
  drops.push(...databases.map(({ drop }) => drop));
  expect(migrations).toBe(1);
  await query(databases[0].url, "INSERT INTO things VALUES (1)");
  expect(await query(databases[0].url, "SELECT id FROM things")).toEqual([{ id: 1 }]);
  expect(await query(databases[1].url, "SELECT id FROM things")).toEqual([]);
});

test("a migration that fails is not taken for a template", async () => {
  async function failsTheFirstTime({ url }: { url: string }) {
    await query(url, "CREATE TABLE half (id int)");
    migrations += 1;
    if (migrations === 2) throw new Error("cut off");
  }
  migrations = 1;
  await expect(createTestDatabase({ migrate: failsTheFirstTime })).rejects.toThrow("cut off");
  const { url, drop } = await createTestDatabase({ migrate: failsTheFirstTime });
  drops.push(drop);
  expect(await query(url, "SELECT * FROM half")).toEqual([]);
});

test("drop removes a database that is still connected to", async () => {
  const { url, drop } = await createTestDatabase({ migrate: null });
  const client = new pg.Client({ connectionString: url });
  const lost = new Promise((done) => client.on("error", done));
  await client.connect();
  await drop();
  await lost;
  await expect(query(url, "SELECT 1")).rejects.toThrow("does not exist");
});
