import { execFileSync, spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createKey, ensureTenant, migrateDatabase, migrationStatus, openDatabase, tenantJobs } from "@scribe/database";
import { createTestDatabase, freePort } from "@scribe/testing";

const scripts = resolve(import.meta.dirname, "../../scripts");
const encryptionKey = Buffer.alloc(32, 7);

/** The system's own Postgres, whose version is that of the `pg_dump` on PATH. */
const version = readdirSync("/usr/lib/postgresql").sort((a, b) => Number(b) - Number(a))[0]!;
const bin = (name: string) => `/usr/lib/postgresql/${version}/bin/${name}`;
/** Postgres does not run as root. */
const asUser = (program: string, args: string[]) =>
  process.getuid?.() === 0
    ? execFileSync("runuser", ["-u", "postgres", "--", program, ...args], { stdio: "ignore" })
    : execFileSync(program, args, { stdio: "ignore" });

let folder: string;
let server: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "scribe-pg-"));
  if (process.getuid?.() === 0) {
    const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" })));
    chownSync(folder, uid!, gid!);
  }
  const port = await freePort();
  const data = join(folder, "data");
  asUser(bin("initdb"), ["--pgdata", data, "--auth", "trust", "--username", "scribe", "--no-sync"]);
  const options = `-p ${port} -k ${folder} -c listen_addresses=127.0.0.1 -c fsync=off`;
  asUser(bin("pg_ctl"), ["start", "--wait", "--pgdata", data, "--log", join(folder, "log"), "--options", options]);
  server = `postgresql://scribe@127.0.0.1:${port}`;
}, 60_000);

afterAll(() => {
  asUser(bin("pg_ctl"), ["stop", "--mode", "immediate", "--pgdata", join(folder, "data")]);
  rmSync(folder, { recursive: true, force: true });
});

const run = (script: string, file: string, url: string) => {
  const { status, stdout, stderr } = spawnSync(join(scripts, script), [file], {
    env: { ...process.env, DATABASE_URL: url, DATABASE_DIRECT_URL: "" },
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
};

const sql = (url: string, text: string) =>
  execFileSync("psql", ["--no-psqlrc", "--tuples-only", "--no-align", "--dbname", url, "--command", text], {
    encoding: "utf8",
  }).trim();

test("what was backed up is all there after a restore, and jobs that ran can be claimed", async () => {
  sql(`${server}/postgres`, "CREATE DATABASE before");
  sql(`${server}/postgres`, "CREATE DATABASE after");
  const [before, after] = [`${server}/before`, `${server}/after`];
  await migrateDatabase({ url: before });
  const db = openDatabase({ url: before, poolSize: 2, encryptionKey, applicationName: "test" });
  const tenant = await ensureTenant(db, "default");
  const key = await createKey(db, { tenantId: tenant.id, name: "test", scopes: ["transcribe"] });
  const jobs = tenantJobs(db, tenant.id);
  for (let n = 0; n < 3; n++) {
    await jobs.create({
      ...{ apiKeyId: key.id, engine: "synthetic", model: "synthetic", options: {}, priority: 2, audioSeconds: 60 },
      ...{ source: { kind: "url" as const, url: "https://example.com/a.wav" }, metadata: {}, webhookEvents: [] },
    });
  }
  await db.close();
  sql(
    before,
    "UPDATE jobs SET status = 'processing', lease_until = now() + interval '1 hour', lease_epoch = 4 WHERE id = (SELECT id FROM jobs LIMIT 1)",
  );

  const file = join(tmpdir(), `scribe-${process.pid}.dump`);
  expect(run("backup.sh", file, `${before}?uselibpqcompat=true&sslmode=prefer`)).toMatchObject({ status: 0 });
  expect(run("restore.sh", file, after)).toMatchObject({ status: 0 });

  const rows =
    "SELECT json_agg(j ORDER BY id) FROM (SELECT id, tenant_id, status, lease_epoch, audio_seconds FROM jobs) j";
  expect(sql(after, rows)).toBe(sql(before, rows));
  expect(sql(after, "SELECT webhook_secret_encrypted FROM tenants")).toBe(
    sql(before, "SELECT webhook_secret_encrypted FROM tenants"),
  );
  expect(sql(after, "SELECT count(*) FROM jobs WHERE lease_until > now() OR dispatched_at IS NOT NULL")).toBe("0");
  expect(await migrationStatus({ url: after })).toMatchObject({ pending: [], drift: null });

  expect(run("restore.sh", file, after)).toMatchObject({ status: 1, output: expect.stringContaining("is not empty") });
  rmSync(file);
}, 60_000);

test("a pg_dump that is older than the server says so, and leaves no file", async () => {
  // The embedded one is newer than Debian's tools.
  const database = await createTestDatabase();
  const file = join(tmpdir(), `scribe-old-${process.pid}.dump`);
  const { status, output } = run("backup.sh", file, database.url);
  if (Number(version) >= 18) expect(status).toBe(0);
  else expect([status, output]).toEqual([1, expect.stringContaining(`pg_dump ${version} cannot read Postgres`)]);
  rmSync(file, { force: true });
  await database.drop();
}, 60_000);
