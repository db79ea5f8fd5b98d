import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startProcess, waitFor } from "@scribe/testing";
import pg from "pg";
import { startEmbeddedPostgres } from "../src/embedded/start-embedded-postgres.ts";

// A folder that only we may enter, with a space: as root, Postgres' own user cannot.
const folder = mkdtempSync(join(tmpdir(), "scribe embedded "));
const dataDir = join(folder, "data");
afterAll(() => {
  const note = join(dataDir, "cluster-place");
  const outside = existsSync(note) ? readFileSync(note, "utf8").trim() : null;
  if (outside) for (const path of [outside, `${outside}.owner`]) rmSync(path, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
});

async function query(url: string, sql: string) {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const runner = join(folder, "runner.mjs");
beforeAll(() => {
  const door = JSON.stringify(join(import.meta.dirname, "../src/embedded/start-embedded-postgres.ts"));
  writeFileSync(
    runner,
    `const { startEmbeddedPostgres } = await import(${door});
     const server = await startEmbeddedPostgres({ dataDir: process.env.DATA_DIR, temporary: process.env.TEMPORARY === "1" });
     console.log("READY", server.url, server.owned);
     process.on("SIGTERM", async () => { await server.stop(); process.exit(0); });
     setInterval(() => {}, 1000);`,
  );
});
const run = (env: Record<string, string> = {}) => startProcess(runner, { DATA_DIR: dataDir, ...env });
const ready = async (child: ReturnType<typeof run>) => (await child.waitForOutput(/READY (\S+) (true|false)/)).slice(1);

test("keeps its data, its password and its port over restarts", async () => {
  const first = await startEmbeddedPostgres({ dataDir });
  await query(first.url, "CREATE TABLE kept AS SELECT 42 AS answer");
  await first.stop();
  await expect(query(first.url, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
  const second = await startEmbeddedPostgres({ dataDir });
  expect(second.url).toBe(first.url);
  expect(await query(second.url, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
  await second.stop();
  await second.stop();
});

test("lets nobody in without the password, and listens on 127.0.0.1 alone", async () => {
  const server = await startEmbeddedPostgres({ dataDir });
  try {
    const wrong = new URL(server.url);
    wrong.password = "wrong";
    await expect(query(wrong.href, "SELECT 1")).rejects.toThrow("password authentication failed");
    expect(await query(server.url, "SHOW listen_addresses")).toEqual([{ listen_addresses: "127.0.0.1" }]);
    expect(await query(server.url, "SHOW unix_socket_directories")).toEqual([{ unix_socket_directories: "" }]);
  } finally {
    await server.stop();
  }
});

test("a second process uses the server of the first, and leaves it running", async () => {
  const first = run();
  const [url, owned] = await ready(first);
  expect(owned).toBe("true");
  const second = await startEmbeddedPostgres({ dataDir });
  expect([second.url, second.owned]).toEqual([url, false]);
  await second.stop();
  expect(await query(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  expect((await first.stop()).code).toBe(0);
  await expect(query(url, "SELECT 1")).rejects.toThrow("ECONNREFUSED");
});

test("after kill -9 of its process the server ends, and the next start finds what was committed", async () => {
  const first = run();
  const [url] = await ready(first);
  await query(url, "CREATE TABLE survives AS SELECT 1 AS one");
  process.kill(first.pid, "SIGKILL");
  await first.exit;
  // At once: the old server may still be on its way out.
  const next = await startEmbeddedPostgres({ dataDir });
  expect(next.owned).toBe(true);
  expect(await query(next.url, "SELECT one FROM survives")).toEqual([{ one: 1 }]);
  await next.stop();
});

test("after kill -9 of everything, the file of a process that is no more does not stop the next start", async () => {
  const first = run();
  const [url] = await ready(first);
  const clusterDir = existsSync(join(dataDir, "cluster"))
    ? join(dataDir, "cluster")
    : readFileSync(join(dataDir, "cluster-place"), "utf8").trim();
  await query(url, "CREATE TABLE hard AS SELECT 1 AS one");
  const postmaster = Number(readFileSync(join(clusterDir, "postmaster.pid"), "utf8").split("\n")[0]);
  process.kill(postmaster, "SIGKILL");
  process.kill(first.pid, "SIGKILL");
  await waitFor(() =>
    query(url, "SELECT 1").then(
      () => false,
      () => true,
    ),
  );
  // The number has since gone to another program: ours.
  const file = join(clusterDir, "postmaster.pid");
  writeFileSync(file, readFileSync(file, "utf8").replace(/^\d+/, String(process.pid)));
  const next = await startEmbeddedPostgres({ dataDir });
  expect(await query(next.url, "SELECT one FROM hard")).toEqual([{ one: 1 }]);
  await next.stop();
});

test("a cluster outside goes when the temporary folder that it belonged to has gone", async () => {
  const other = mkdtempSync(join(tmpdir(), "scribe gone "));
  const first = await startEmbeddedPostgres({ dataDir: other, fsync: false });
  await first.stop();
  const note = join(other, "cluster-place");
  const outside = existsSync(note) ? readFileSync(note, "utf8").trim() : join(other, "cluster");
  expect(existsSync(outside)).toBe(true);
  rmSync(other, { recursive: true });
  const next = await startEmbeddedPostgres({ dataDir: join(folder, "sweeps"), fsync: false, temporary: true });
  await next.stop();
  expect(existsSync(outside)).toBe(false);
});

test("three processes that make the same database at once share one server", async () => {
  const fresh = { DATA_DIR: join(folder, "fresh"), TEMPORARY: "1" };
  const children = [run(fresh), run(fresh), run(fresh)];
  const answers = await Promise.all(children.map(ready));
  expect(new Set(answers.map(([url]) => url)).size).toBe(1);
  expect(answers.filter(([, owned]) => owned === "true")).toHaveLength(1);
  for (const child of children) await child.stop();
  expect(readdirSync(folder)).not.toContain("fresh");
});

test("a port that is taken is named", async () => {
  const other = createServer();
  await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
  const { port } = other.address() as { port: number };
  await expect(startEmbeddedPostgres({ dataDir, port })).rejects.toThrow(`Port ${port} on 127.0.0.1 is taken`);
  other.close();
});

test("a cluster that does not start gives the end of its log", async () => {
  const broken = await startEmbeddedPostgres({ dataDir: join(folder, "broken"), temporary: true });
  const place = join(folder, "broken", "cluster-place");
  const clusterDir = existsSync(place) ? readFileSync(place, "utf8").trim() : join(folder, "broken", "cluster");
  await broken.stop();
  mkdirSync(join(folder, "broken"), { recursive: true });
  mkdirSync(clusterDir, { recursive: true });
  writeFileSync(join(clusterDir, "PG_VERSION"), "9\n");
  writeFileSync(join(folder, "broken", "password"), "x\n");
  const start = startEmbeddedPostgres({ dataDir: join(folder, "broken") });
  await expect(start).rejects.toThrow(/did not start \(ended with 1\):\n.*FATAL|did not start/s);
  rmSync(clusterDir, { recursive: true });
});
