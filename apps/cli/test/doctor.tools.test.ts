import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createTestDatabase, freePort, startProcess, startReceiver, startTestRedis } from "@scribe/testing";

const CLI = resolve(import.meta.dirname, "../src/main.ts");

interface Finding {
  about: string;
  state: string;
  says: string;
  mend?: string;
}

let folder: string;
let database: Awaited<ReturnType<typeof createTestDatabase>>;
let empty: Awaited<ReturnType<typeof createTestDatabase>>;
let redis: Awaited<ReturnType<typeof startTestRedis>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "scribe-doctor-"));
  [database, empty, redis] = await Promise.all([
    createTestDatabase(),
    createTestDatabase({ migrate: null }),
    startTestRedis(),
  ]);
}, 60_000);

afterAll(async () => {
  await Promise.all([database.drop(), empty.drop(), redis.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

async function doctor(env: Record<string, string>, ...args: string[]) {
  const run = startProcess(
    CLI,
    { SCRIBE_DATA_DIR: folder, SCRIBE_ENCRYPTION_KEY: randomBytes(32).toString("base64"), ...env },
    { args: ["doctor", "--json", ...args] },
  );
  const { code } = await run.exit;
  const { findings } = JSON.parse(run.stdout()) as { findings: Finding[] };
  return { code, findings, about: (name: string) => findings.find((finding) => finding.about === name) };
}

test("where all is well it says so, and ends with 0", async () => {
  const receiver = await startReceiver();
  const env = { DATABASE_URL: database.url, REDIS_URL: redis.url, ALLOW_PRIVATE_NETWORKS: "127.0.0.0/8" };
  const { code, findings, about } = await doctor(env, "--webhook", `${receiver.url}/hook`);
  await receiver.stop();
  expect([code, findings.filter(({ state }) => state === "wrong")]).toEqual([0, []]);
  for (const name of [
    "Postgres",
    "migrations",
    "Redis",
    "eviction",
    "storage",
    "ffmpeg",
    "model",
    "webhooks",
    "clock",
  ]) {
    expect([name, about(name)?.state]).toEqual([name, "ok"]);
  }
}, 60_000);

test("each thing that is wrong is named, with the command that mends it", async () => {
  const evicting = await startTestRedis({ config: { "maxmemory-policy": "allkeys-lru" } });
  const { code, about } = await doctor(
    {
      DATABASE_URL: empty.url,
      REDIS_URL: evicting.url,
      SCRIBE_MODEL: "./nowhere",
      EXECUTION_PROVIDERS: "cuda",
      PUBLIC_URL: `http://127.0.0.1:${await freePort()}`,
      SCRIBE_NONSENSE: "1",
    },
    "--webhook",
    "http://127.0.0.1/hook",
  );
  await evicting.stop();
  expect(code).toBe(1);
  expect(about("migrations")).toMatchObject({ state: "wrong", mend: expect.stringContaining("npm run db:migrate") });
  expect(about("eviction")).toMatchObject({ state: "wrong", mend: expect.stringContaining("noeviction") });
  expect(about("API")).toMatchObject({ state: "warning", mend: expect.anything() });
  expect(about("webhooks")).toMatchObject({ state: "wrong", mend: expect.stringContaining("ALLOW_PRIVATE_NETWORKS") });
  expect(about("configuration")).toMatchObject({ state: "warning", says: expect.stringContaining("SCRIBE_NONSENSE") });
  expect(about("model")).toMatchObject({ state: "wrong" });
}, 60_000);

test("servers that are away are wrong, not an end of the search", async () => {
  const away = await freePort();
  const { code, about, findings } = await doctor({
    DATABASE_URL: `postgresql://nobody@127.0.0.1:${away}/none`,
    REDIS_URL: `redis://127.0.0.1:${away}`,
    AUDIO_STORAGE_PATH: "/proc/nowhere",
  });
  expect(code).toBe(1);
  for (const name of ["Postgres", "Redis", "storage"]) expect([name, about(name)?.state]).toEqual([name, "wrong"]);
  expect(findings.at(-1)?.about).toBe("webhooks");
}, 60_000);

test("a configuration that cannot be read is all that is told", async () => {
  const { code, findings } = await doctor({ WORKER_CONCURRENCY: "many" });
  expect(code).toBe(1);
  expect(findings).toEqual([expect.objectContaining({ about: "configuration", state: "wrong" })]);
}, 60_000);
