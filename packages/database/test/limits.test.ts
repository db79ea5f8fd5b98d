import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { hashSecret } from "@scribe/domain";
import {
  AllowanceExceeded,
  completeJob,
  countHit,
  createKey,
  createSecretBox,
  dispatchRows,
  ENCRYPTED_COLUMNS,
  findKeyCounting,
  forgetHits,
  openDatabase,
  recordDecoded,
  recordPhase,
  revokeKey,
  rotateKey,
  rotateSecrets,
  tenantUsage,
  updateTenant,
  webhookSecrets,
} from "../src/index.ts";
import { aJob, anOutcome, type DatabaseBench, letLeaseRunOut, openBench } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
beforeEach(() => bench.sql("TRUNCATE jobs, usage, rate_hits CASCADE"));
afterAll(() => bench.close());

describe("windows of hits", () => {
  test("count together, however many count at once, and begin anew when they have ended", async () => {
    const hits = await Promise.all(Array.from({ length: 40 }, () => countHit(bench.db, "b", 60)));
    expect(hits.map((hit) => hit.hits).sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
    expect(new Set(hits.map((hit) => hit.endsAt.getTime())).size).toBe(1);
    await bench.sql("UPDATE rate_hits SET ends_at = now() - interval '1 second'");
    const next = await countHit(bench.db, "b", 60);
    expect(next.hits).toBe(1);
    expect(next.endsAt.getTime()).toBeGreaterThan(Date.now() + 50_000);
  });

  test("that ended a minute ago are forgotten", async () => {
    await countHit(bench.db, "old", 60);
    await countHit(bench.db, "new", 60);
    await bench.sql("UPDATE rate_hits SET ends_at = now() - interval '2 minutes' WHERE bucket = 'old'");
    await forgetHits(bench.db);
    expect(await bench.sql("SELECT bucket FROM rate_hits")).toEqual([{ bucket: "new" }]);
  });

  test("a key's look-up counts its hit, and only with the right secret of a key that works", async () => {
    const made = await createKey(bench.db, { tenantId: bench.tenant.id, name: "k", scopes: ["read"] });
    const [, publicId, secret] = made.key.split("_");
    const look = (text: string) => findKeyCounting(bench.db, publicId, hashSecret(text), "reads", 60);
    expect((await look(secret)).hit?.hits).toBe(1);
    expect((await look(secret)).hit?.hits).toBe(2);
    const wrong = await look("x".repeat(40));
    expect([wrong.key?.id, wrong.hit]).toEqual([made.id, null]);
    expect((await look(secret)).hit?.hits).toBe(3);
    await revokeKey(bench.db, bench.tenant.id, made.id);
    expect((await look(secret)).hit).toBeNull();
    expect(await findKeyCounting(bench.db, "nobody00", hashSecret(secret), "reads", 60)).toEqual({
      key: null,
      hit: null,
    });
  });
});

describe("the allowance of a tenant", () => {
  const create = (audioSeconds: number, allowance: object, key?: string) =>
    bench.jobs.create(
      aJob({ audioSeconds, allowance }),
      key === undefined
        ? undefined
        : { route: "r", key, fingerprint: "0".repeat(64), respond: () => ({ status: 202, body: {} }) },
    );

  test("queued audio: as much as it says, and not a second more", async () => {
    const allowance = { queuedAudioSeconds: 100 };
    const first = await create(60, allowance);
    await create(40, allowance);
    await expect(create(1, allowance)).rejects.toMatchObject({ which: "queued", limitSeconds: 100 });
    await bench.jobs.cancel(first.id);
    await create(60, allowance);
    await expect(create(0.5, allowance)).rejects.toBeInstanceOf(AllowanceExceeded);
  });

  test("audio a day: what ended counts with what it came to, what lives with its estimate", async () => {
    const allowance = { dailyAudioSeconds: 100 };
    const { id } = await create(90, allowance);
    await expect(create(11, allowance)).rejects.toMatchObject({ which: "daily" });
    const { lease } = await bench.claim(id);
    await completeJob(bench.db, lease, anOutcome({ duration: 40 }));
    await create(60, allowance);
    await expect(create(1, allowance)).rejects.toMatchObject({ which: "daily" });
    await bench.sql("UPDATE usage SET day = day - 1");
    await create(40, allowance);
  });

  test("is not overrun by many that come at once, with Idempotency-Keys or without", async () => {
    const allowance = { queuedAudioSeconds: 50 };
    const all = await Promise.allSettled(
      Array.from({ length: 12 }, (_, at) => create(10, allowance, at % 2 === 0 ? `k${at}` : undefined)),
    );
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
    expect(await bench.sql("SELECT count(*)::int AS n FROM jobs")).toEqual([{ n: 5 }]);
    // A refused request leaves no record that would answer for a job that is not there.
    expect(await bench.sql("SELECT 1 FROM idempotency_records WHERE status = 0")).toEqual([]);
  });

  test("is each tenant's own", async () => {
    const other = await bench.addTenant();
    await create(100, { queuedAudioSeconds: 100 });
    await other.jobs.create(aJob({ audioSeconds: 100, allowance: { queuedAudioSeconds: 100 } }));
  });
});

test("usage holds what was done, by day and model, and outlives the jobs", async () => {
  const [done, half, never] = await Promise.all([bench.create(), bench.create(), bench.create()]);
  const first = await bench.claim(done.id);
  await completeJob(bench.db, first.lease, anOutcome({ duration: 30 }));
  const second = await bench.claim(half.id);
  await recordDecoded(bench.db, second.lease, { durationSeconds: 20, warnings: [] });
  await recordPhase(bench.db, second.lease, "transcribing", 50);
  await bench.jobs.cancel(half.id);
  await bench.jobs.cancel(never.id);
  await bench.jobs.erase(done.id, async () => {});
  const today = new Date().toISOString().slice(0, 10);
  expect(await tenantUsage(bench.db, bench.tenant.id).list({ from: today, to: today })).toEqual([
    { day: today, model: "m", completed: 1, failed: 0, cancelled: 2, audioSeconds: 40 },
  ]);
  const other = await bench.addTenant();
  expect(await tenantUsage(bench.db, other.id).list({ from: today, to: today })).toEqual([]);
});

describe("jobs of a tenant at once", () => {
  const dispatch = (most = 0) => dispatchRows(bench.db, "transcription", 50, { maxConcurrentJobs: most });

  test("as many as its limit are chosen, and the next when one has ended", async () => {
    const limited = await bench.addTenant();
    await updateTenant(bench.db, limited.id, { limits: { concurrent_jobs: 2 } });
    for (let at = 0; at < 4; at++) await limited.jobs.create(aJob({ priority: 1 + (at % 3) }));
    const free = await bench.create();
    const chosen = (await dispatch()).map(({ id }) => id);
    expect(chosen).toContain(free.id);
    expect(chosen).toHaveLength(3);
    expect(await dispatch()).toEqual([]);
    const { lease } = await bench.claim(chosen.find((id) => id !== free.id) ?? "");
    expect(await dispatch()).toEqual([]);
    await completeJob(bench.db, lease, anOutcome());
    expect(await dispatch()).toHaveLength(1);
  });

  test("a job whose worker died takes no place beside itself", async () => {
    const { id } = await bench.create();
    await dispatch(1);
    await bench.claim(id);
    await letLeaseRunOut(bench, id);
    expect((await dispatch(1)).map((row) => row.id)).toEqual([id]);
  });

  test("many dispatchers together choose no more than the limit", async () => {
    for (let at = 0; at < 10; at++) await bench.create();
    const taken = (await Promise.all(Array.from({ length: 6 }, () => dispatch(3)))).flat();
    expect(taken).toHaveLength(3);
  });
});

describe("rotation of a key", () => {
  test("the new one is as the old one was; the old one ends after the overlap", async () => {
    const old = await createKey(bench.db, {
      ...{ tenantId: bench.tenant.id, name: "ci", scopes: ["transcribe"] },
      limits: { reads_per_minute: 5 },
    });
    const rotated = await rotateKey(bench.db, bench.tenant.id, old.id, 60);
    expect(rotated?.made).toMatchObject({
      ...{ name: "ci", scopes: ["transcribe"], limits: { reads_per_minute: 5 }, expiresAt: null },
    });
    expect(rotated?.made.key).not.toBe(old.key);
    expect((rotated?.oldExpiresAt.getTime() ?? 0) - Date.now()).toBeGreaterThan(50_000);
    const other = await bench.addTenant();
    expect(await rotateKey(bench.db, other.id, old.id, 60)).toBeNull();
  });

  test("an earlier end stays, and what is revoked or expired is not rotated", async () => {
    const soon = new Date(Date.now() + 5_000);
    const make = (expiresAt: Date | null) =>
      createKey(bench.db, { tenantId: bench.tenant.id, name: "k", scopes: ["read"], expiresAt });
    const ending = await make(soon);
    expect((await rotateKey(bench.db, bench.tenant.id, ending.id, 3600))?.oldExpiresAt).toEqual(soon);
    const expired = await make(new Date(Date.now() - 1000));
    expect(await rotateKey(bench.db, bench.tenant.id, expired.id, 60)).toBeNull();
    const revoked = await make(null);
    await revokeKey(bench.db, bench.tenant.id, revoked.id);
    expect(await rotateKey(bench.db, bench.tenant.id, revoked.id, 60)).toBeNull();
  });
});

describe("the key of secrets at rest", () => {
  test("every column that holds an encrypted secret is known to the rotation", async () => {
    const columns = await bench.sql(
      `SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
       WHERE table_schema = 'public' AND column_name LIKE '%encrypted%' ORDER BY 1, 2`,
    );
    const byName = (a: { table: string; column: string }, b: typeof a) =>
      `${a.table}.${a.column}` < `${b.table}.${b.column}` ? -1 : 1;
    expect(columns).toEqual([...ENCRYPTED_COLUMNS].sort(byName));
  });

  test("is changed while both are known, and then the old one opens nothing", async () => {
    const [before, key] = [randomBytes(32), randomBytes(32)];
    const { id } = await bench.addTenant("sealed");
    const secret = "whsec_c2VjcmV0";
    await bench.sql("UPDATE tenants SET webhook_secret_encrypted = $1", [createSecretBox(before).encrypt(secret)]);
    const open = (encryptionKey: Buffer, encryptionKeyBefore?: Buffer) =>
      openDatabase({ url: bench.db.url, poolSize: 1, applicationName: "test", encryptionKey, encryptionKeyBefore });
    const [both, alone, old] = [open(key, before), open(key), open(before)];
    try {
      expect(await webhookSecrets(both, id)).toEqual([secret]);
      await expect(webhookSecrets(alone, id)).rejects.toThrow("SCRIBE_ENCRYPTION_KEY");
      const first = await rotateSecrets(both, key);
      expect(first.rotated).toBe(first.checked);
      expect(first.rotated).toBeGreaterThanOrEqual(2);
      expect(await rotateSecrets(both, key)).toMatchObject({ rotated: 0 });
      expect(await webhookSecrets(alone, id)).toEqual([secret]);
      await expect(webhookSecrets(old, id)).rejects.toThrow("SCRIBE_ENCRYPTION_KEY");
      await expect(rotateSecrets(old, before)).rejects.toThrow("SCRIBE_ENCRYPTION_KEY");
    } finally {
      await Promise.all([both.close(), alone.close(), old.close()]);
    }
  });
});
