import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Idempotency, IdempotencyBusy, IdempotencyRace } from "../src/index.ts";
import { aJob, type DatabaseBench, openBench } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const fingerprint = (input: string) => createHash("sha256").update(input).digest("hex");

const idempotency = (key: string, over: Partial<Idempotency> = {}): Idempotency => ({
  route: "/transcribe",
  key,
  fingerprint: fingerprint("input"),
  respond: (job) => ({ status: 202, body: { job_id: job.id }, headers: { Location: `/jobs/${job.id}` } }),
  ...over,
});

test("a job is stored as it was given, with its first event", async () => {
  const given = aJob({
    options: { language: "he", temperature: [0, 0.2] },
    priority: 1,
    audioKey: "audio/t/j",
    audioSha256: fingerprint("audio"),
    audioBytes: 5 * 2 ** 33,
    recordingId: "r",
    metadata: { a: "🐇", b: null },
    webhookUrl: "https://receiver.example",
    webhookEvents: ["job.failed"],
    webhookSecret: "canary",
    traceparent: "00-trace",
  });
  const job = await bench.jobs.create(given);
  const { webhookSecret: _, apiKeyId: __, ...stored } = given;
  expect(await bench.jobs.get(job.id)).toMatchObject({ ...stored, status: "pending", phase: "queued", language: "he" });
  expect(job.webhookSecretEncrypted).not.toContain("canary");
  expect(bench.db.secrets.decrypt(job.webhookSecretEncrypted!)).toBe("canary");
  expect(await bench.events(job.id)).toEqual([
    { ordinal: 1, type: "status", data: { job_id: job.id, status: "pending" } },
  ]);
});

test("`auto` is no language", async () => {
  expect((await bench.create({ options: { language: "auto" } })).language).toBeNull();
});

test("a job that cannot be stored leaves nothing", async () => {
  const id = "01900000-0000-7000-8000-000000000001";
  await bench.create({ id });
  await expect(bench.jobs.create(aJob({ id }), idempotency("twice"))).rejects.toThrow(/duplicate key/);
  expect(await bench.jobs.keptAnswer("/transcribe", "twice")).toBeNull();
  expect(await bench.events(id)).toHaveLength(1);
});

describe("an idempotency key", () => {
  test("makes one job of fifty equal requests at once", async () => {
    const key = "fifty";
    const results = await Promise.allSettled(
      Array.from({ length: 50 }, () => bench.jobs.create(aJob({ recordingId: key }), idempotency(key))),
    );
    const made = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(made).toHaveLength(1);
    for (const result of results) {
      if (result.status === "rejected") expect(result.reason).toBeInstanceOf(IdempotencyRace);
    }
    expect(await bench.sql("SELECT id FROM jobs WHERE recording_id = $1", [key])).toEqual([{ id: made[0].id }]);
    expect(await bench.jobs.keptAnswer("/transcribe", key)).toEqual({
      status: 202,
      body: { job_id: made[0].id },
      headers: { Location: `/jobs/${made[0].id}` },
      fingerprint: fingerprint("input"),
    });
  });

  test("keeps the first input's fingerprint, whatever comes later", async () => {
    await bench.jobs.create(aJob(), idempotency("kept"));
    const other = idempotency("kept", { fingerprint: fingerprint("other input") });
    await expect(bench.jobs.create(aJob(), other)).rejects.toBeInstanceOf(IdempotencyRace);
    expect((await bench.jobs.keptAnswer("/transcribe", "kept"))?.fingerprint).toBe(fingerprint("input"));
  });

  test("is free again after 24 hours", async () => {
    const first = await bench.jobs.create(aJob(), idempotency("expired"));
    await bench.sql("UPDATE idempotency_records SET expires_at = now() - interval '1 second' WHERE key = 'expired'");
    expect(await bench.jobs.keptAnswer("/transcribe", "expired")).toBeNull();
    const other = idempotency("expired", { fingerprint: fingerprint("other input") });
    const second = await bench.jobs.create(aJob(), other);
    expect(second.id).not.toBe(first.id);
    expect(await bench.jobs.keptAnswer("/transcribe", "expired")).toMatchObject({
      body: { job_id: second.id },
      fingerprint: fingerprint("other input"),
    });
    const [{ hours }] = await bench.sql<{ hours: number }>(
      "SELECT round(extract(epoch FROM expires_at - now()) / 3600)::int AS hours FROM idempotency_records WHERE key = 'expired'",
    );
    expect(hours).toBe(24);
  });

  test("is a tenant's and a route's own", async () => {
    await bench.jobs.create(aJob(), idempotency("own"));
    await bench.jobs.create(aJob(), idempotency("own", { route: "/enhanced-ai" }));
    const other = await bench.addTenant();
    expect(await other.jobs.keptAnswer("/transcribe", "own")).toBeNull();
    await other.jobs.create(aJob(), idempotency("own"));
  });

  test("is not used up by a request that failed", async () => {
    const failing = idempotency("failed", {
      respond: () => {
        throw new Error("rendering failed");
      },
    });
    await expect(bench.jobs.create(aJob({ recordingId: "failed" }), failing)).rejects.toThrow("rendering failed");
    expect(await bench.sql("SELECT 1 FROM jobs WHERE recording_id = 'failed'")).toEqual([]);
    await bench.jobs.create(aJob(), idempotency("failed"));
  });

  test("whose first request hangs is busy, after a while", async () => {
    const client = await bench.db.pool.connect();
    try {
      await client.query("BEGIN");
      await client.query(
        `INSERT INTO idempotency_records (tenant_id, route, key, fingerprint, status, response, expires_at)
         VALUES ($1, '/transcribe', 'busy', $2, 0, '{}', now() + interval '1 day')`,
        [bench.tenant.id, fingerprint("input")],
      );
      const second = bench.jobs.create(aJob(), idempotency("busy", { waitMs: 100 }));
      await expect(second).rejects.toBeInstanceOf(IdempotencyBusy);
    } finally {
      await client.query("ROLLBACK");
      client.release();
    }
    await bench.jobs.create(aJob(), idempotency("busy"));
  });
});
