import { randomBytes, randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type Database, openDatabase } from "@scribe/database";
import {
  createTestDatabase,
  type OpenaiStandIn,
  sampleDialogue,
  startOpenaiStandIn,
  startTestRedis,
  startTestStack,
  type TestDatabase,
  type TestRedis,
  type TestStack,
  waitFor,
} from "@scribe/testing";

const PROVIDER_KEY = `sk-canary-${randomUUID()}`;
const WRONG_KEY = `sk-wrong-canary-${randomUUID()}`;

let database: TestDatabase;
let db: Database;
let redis: TestRedis;
let openai: OpenaiStandIn;
let stack: TestStack;
let monitor: Socket;
/** Every command that Redis was ever given. */
let commands = "";

beforeAll(async () => {
  const encryptionKey = randomBytes(32);
  database = await createTestDatabase();
  db = openDatabase({ url: database.url, poolSize: 2, encryptionKey, applicationName: "test" });
  redis = await startTestRedis();
  monitor = connect(redis.port, "127.0.0.1");
  monitor.setEncoding("latin1").on("data", (text: string) => {
    commands += text;
  });
  monitor.write("MONITOR\r\n");
  openai = await startOpenaiStandIn({ key: PROVIDER_KEY });
  stack = await startTestStack({
    ...{ DATABASE_URL: database.url, REDIS_URL: redis.url, OPENAI_BASE_URL: openai.baseUrl },
    ...{ LOG_LEVEL: "trace", SCRIBE_ENCRYPTION_KEY: encryptionKey.toString("base64") },
  });
}, 120_000);
afterAll(async () => {
  await stack.stop();
  await openai.stop();
  monitor.destroy();
  await redis.stop();
  await db.close();
  await database.drop();
}, 60_000);

/** Of all that the service keeps: every row, every command to Redis, every file of its folder, every line it wrote. */
async function placesOf(word: string): Promise<string[]> {
  const places: string[] = [];
  const { rows } = await db.pool.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
  );
  for (const { name } of rows) {
    const { rowCount } = await db.pool.query(`SELECT 1 FROM ${name} AS t WHERE strpos(t::text, $1) > 0 LIMIT 1`, [
      word,
    ]);
    if (rowCount === 1) places.push(name);
  }
  if (commands.includes(word)) places.push("redis");
  for (const entry of readdirSync(stack.dataDir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(word)) places.push(entry.name);
  }
  if (stack.process.output().includes(word)) places.push("log");
  return places;
}

/** With our key in the path alone, as this service's callers have it. */
const at = (path: string, init: RequestInit = {}) => fetch(`${stack.url}/compat/notes/${stack.key}${path}`, init);

async function post(providerKey: string): Promise<string> {
  const body = new FormData();
  body.append("file", new Blob([readFileSync(sampleDialogue().path)]), "speech.wav");
  const response = await at("/jobs", { method: "POST", body, headers: { "X-OpenAI-API-Key": providerKey } });
  return ((await response.json()) as { job_id: string }).job_id;
}

async function ended(id: string): Promise<string> {
  let status = "";
  await waitFor(
    async () => {
      ({ status } = (await (await at(`/jobs/${id}`)).json()) as { status: string });
      return ["completed", "failed"].includes(status);
    },
    { what: "the job to end", timeoutMs: 60_000 },
  );
  return status;
}

test("a provider's key that a notes job brought is to be read nowhere, neither while it waits nor ever after", async () => {
  const right = await post(PROVIDER_KEY);
  expect(await placesOf(PROVIDER_KEY)).toEqual([]);
  expect(await ended(right)).toBe("completed");
  expect(openai.heardSeconds.length).toBeGreaterThan(0);
  expect((await at(`/jobs/${right}/download`)).status).toBe(200);
  expect(await ended(await post(WRONG_KEY))).toBe("failed");
  for (const secret of [PROVIDER_KEY, WRONG_KEY]) expect(await placesOf(secret)).toEqual([]);
  // Looked for in the same way, what may be there is found: the job, in rows, in the queue and in the log.
  const { rows } = await db.pool.query("SELECT id FROM jobs WHERE recording_id = $1", [right]);
  expect(await placesOf(rows[0].id)).toEqual(expect.arrayContaining(["public.jobs", "redis", "log"]));
  expect(await placesOf(right)).toEqual(expect.arrayContaining(["public.jobs", "log"]));
}, 120_000);

test("the key of ours that stood in those paths is in no log", () => {
  expect(stack.process.output().replaceAll(/\{"ready":true.*\}/g, "")).not.toContain(stack.key);
  expect(stack.process.output()).toContain("/compat/notes/***/jobs");
});
