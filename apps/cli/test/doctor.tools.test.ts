import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import { createTestDatabase, freePort, startProcess, startReceiver, startTestRedis } from "@scribe/testing";
import { examineAccounts } from "../src/doctor/examine-accounts.ts";
import { examineLanguageModel } from "../src/doctor/examine-language-model.ts";
import { examineMigrations } from "../src/doctor/examine-migrations.ts";
import { examineProviders } from "../src/doctor/examine-providers.ts";

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
    "accounts",
    "language model",
    "providers",
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
      ACCOUNTS: "on",
      ENHANCED_AI_BASE_URL: `http://127.0.0.1:${await freePort()}/v1`,
      ENHANCED_AI_MODEL: "none",
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
  expect(about("accounts")).toMatchObject({ state: "wrong", mend: expect.stringContaining("openssl rand") });
  expect(about("language model")).toMatchObject({ state: "wrong", mend: expect.stringContaining("curl http") });
}, 60_000);

describe("the language model", () => {
  let server: Server;
  let baseUrl: string;
  /** What it answers to anybody with the right key. */
  let answer: { status: number; body: string };
  beforeAll(async () => {
    server = createServer(({ url, headers }, response) => {
      if (url !== "/v1/models") return void response.writeHead(404).end();
      if (headers.authorization !== "Bearer right") return void response.writeHead(401).end();
      response.writeHead(answer.status).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  const LISTED = JSON.stringify({ data: [{ id: "qwen3:8b" }, { id: "llama3.1" }] });
  test.each([
    ["is there", {}, 200, LISTED, "ok", "qwen3:8b at http"],
    ["is not among those of the endpoint", { ENHANCED_AI_MODEL: "gpt" }, 200, LISTED, "wrong", "has no gpt"],
    ["has an endpoint that refuses the key", { ENHANCED_AI_API_KEY: "left" }, 200, LISTED, "wrong", "refuses the key"],
    ["has an endpoint without a list", {}, 404, "no", "ok", "without saying which models"],
    ["has an endpoint whose list is none", {}, 200, "<html>", "ok", "without saying which models"],
    ["has an endpoint that fails", {}, 500, "", "warning", "answers 500"],
    ["lacks its name", { ENHANCED_AI_MODEL: "" }, 200, LISTED, "wrong", "ENHANCED_AI_MODEL is not set"],
    ["lacks its address", { ENHANCED_AI_BASE_URL: "" }, 200, LISTED, "wrong", "ENHANCED_AI_BASE_URL is not set"],
    [
      "is outside, where nothing may leave",
      { ENHANCED_AI_BASE_URL: "http://192.0.2.7/v1", LOCAL_ONLY: "true" },
      200,
      LISTED,
      "wrong",
      "http://192.0.2.7: ",
    ],
  ])("that %s", async (_, changes, status, body, state, says) => {
    answer = { status, body };
    const chat = { ENHANCED_AI_BASE_URL: baseUrl, ENHANCED_AI_MODEL: "qwen3:8b", ENHANCED_AI_API_KEY: "right" };
    const finding = await examineLanguageModel(readConfig({ ...chat, ...changes }).config);
    expect(finding).toMatchObject({ about: "language model", state, says: expect.stringContaining(says) });
    expect(finding.mend === undefined).toBe(state === "ok");
    expect(JSON.stringify(finding)).not.toMatch(/right|left/);
  });

  test.each([
    ["with the right key", { OPENAI_API_KEY: "right" }, "ok"],
    ["with another key", { OPENAI_API_KEY: "left" }, "wrong"],
    ["with keys of tenants alone", {}, "ok"],
  ])("likewise a provider's address, %s", async (_, keys, state) => {
    answer = { status: 200, body: LISTED };
    const { config } = readConfig({ OPENAI_BASE_URL: `${baseUrl}/`, ...keys });
    expect(await examineProviders(config)).toMatchObject([{ about: "openai", state }]);
  });

  test("and each provider that cannot be reached is named", async () => {
    const away = `http://127.0.0.1:${await freePort()}`;
    const keys = { OPENAI_API_KEY: "sk-1", ASSEMBLYAI_API_KEY: "aai-1" };
    const { config } = readConfig({ ...keys, OPENAI_BASE_URL: `${away}/v1`, ASSEMBLYAI_BASE_URL: away });
    const findings = await examineProviders(config);
    expect(findings).toMatchObject([
      { about: "openai", state: "wrong", mend: expect.stringContaining("OPENAI_BASE_URL") },
      { about: "assemblyai", state: "wrong", mend: expect.stringContaining("ASSEMBLYAI_BASE_URL") },
    ]);
    const local = readConfig({ ...keys, LOCAL_ONLY: "true" }).config;
    expect(await examineProviders(local)).toMatchObject([{ about: "providers", state: "ok" }]);
  });
});

test.each([
  ["off, by default, with a database of one's own", { DATABASE_URL: "postgresql://x/y" }, "ok", "off"],
  ["made by `npm start`", {}, "ok", "npm start"],
  ["without what signs", { DATABASE_URL: "postgresql://x/y", ACCOUNTS: "on" }, "wrong", "without JWT_SECRET"],
  ["with it", { DATABASE_URL: "postgresql://x/y", ACCOUNTS: "invite", JWT_SECRET: "x".repeat(32) }, "ok", "invited"],
])("accounts: %s", (_, env, state, says) => {
  const { config } = readConfig({ SCRIBE_ENCRYPTION_KEY: randomBytes(32).toString("base64"), ...env });
  expect(examineAccounts(config)).toMatchObject({ state, says: expect.stringContaining(says) });
});

test("migrations that are not in an image are no fault, and one that drifted is", async () => {
  const gone = Object.assign(new Error("no such file"), { code: "ENOENT" });
  expect(await examineMigrations("", async () => Promise.reject(gone))).toMatchObject({ state: "warning" });
  await expect(examineMigrations("", async () => Promise.reject(new Error("away")))).rejects.toThrow("away");
  const drifted = { applied: ["first"], pending: [], drift: "DROP TABLE x" };
  expect(await examineMigrations("", async () => drifted)).toMatchObject({
    state: "wrong",
    says: "the schema has drifted",
  });
});

test("servers that are away are wrong, not an end of the search", async () => {
  const away = await freePort();
  const { code, about, findings } = await doctor({
    DATABASE_URL: `postgresql://nobody@127.0.0.1:${away}/none`,
    REDIS_URL: `redis://127.0.0.1:${away}`,
    AUDIO_STORAGE_PATH: "/dev/null/audio",
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
