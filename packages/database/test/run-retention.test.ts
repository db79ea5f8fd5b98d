import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { uuidV7 } from "@scribe/domain";
import { Client } from "pg";
import {
  completeJob,
  eraseDue,
  type RetentionPolicy,
  runRetention,
  type StoredObjects,
  tenantUploads,
} from "../src/index.ts";
import { aJob, anOutcome, type DatabaseBench, openBench, WITH_WEBHOOK } from "./database-bench.ts";

let bench: DatabaseBench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());
beforeEach(async () => {
  store.clear();
  failing.clear();
  await bench.sql("TRUNCATE jobs, uploads, idempotency_records, audit, webhook_deliveries, webhook_endpoints CASCADE");
});

/** Objects in memory, with the time since when they are there; removing one of `failing` fails. */
const store = new Map<string, Date>();
const failing = new Set<string>();
const OLD = new Date(Date.now() - 48 * 3_600_000);
const objects: StoredObjects = {
  async *list(prefix) {
    for (const [key, modifiedAt] of [...store]) if (key.startsWith(prefix)) yield { key, modifiedAt };
  },
  stat: async (key) => (store.has(key) ? { key } : null),
  remove: async (key) => {
    if (failing.has(key)) throw Object.assign(new Error("away"), { name: "StorageError" });
    return store.delete(key);
  },
  sweepTemporary: async () => 0,
};

const run = async (policy: Partial<RetentionPolicy> = {}) => {
  const options = { db: bench.db, objects, actor: "retention", signal: new AbortController().signal };
  return await runRetention({ ...options, policy: { audioHours: 24, jobHours: 0, ...policy } });
};

/** A completed job that ended so many hours ago, with audio in the store. */
async function ended(hoursAgo: number, audioKey = `audio/t/${uuidV7()}/source`) {
  store.set(audioKey, OLD);
  const job = await bench.running({ audioKey, ...WITH_WEBHOOK });
  await completeJob(bench.db, job.lease, anOutcome());
  await bench.sql("UPDATE jobs SET completed_at = now() - $2 * interval '1 hour' WHERE id = $1", [job.id, hoursAgo]);
  return { id: job.id, audioKey };
}
const audioOf = async (id: string) => (await bench.jobs.get(id))!.audioKey;
const audited = async () =>
  (
    await bench.sql<{ action: string; target: string | null }>("SELECT action, target FROM audit ORDER BY at, id")
  ).filter(({ action }) => action !== "retention.run");

describe("audio", () => {
  test("goes a day after the last job that uses it ended; the transcript stays", async () => {
    const old = await ended(25);
    const young = await ended(23);
    expect(await run()).toEqual({ scanned: expect.any(Number), deleted: 1, failed: 0, errors: [] });
    expect([...store.keys()]).toEqual([young.audioKey]);
    expect([await audioOf(old.id), await audioOf(young.id)]).toEqual([null, young.audioKey]);
    expect(await bench.jobs.transcript(old.id)).not.toBeNull();
    expect(await audited()).toEqual([{ action: "audio.erased", target: old.id }]);
  });

  test("stays while another job uses it, ended lately or live", async () => {
    const shared = await ended(25);
    await ended(1, shared.audioKey);
    const other = await ended(25);
    await bench.create({ audioKey: other.audioKey });
    expect(await run()).toMatchObject({ deleted: 0 });
    expect(store.size).toBe(2);
  });

  test("whose removal failed is told, and found by the next run", async () => {
    const { audioKey } = await ended(25);
    failing.add(audioKey);
    expect(await run()).toMatchObject({ failed: 2, errors: ["an object could not be removed from storage"] });
    failing.clear();
    expect(await run()).toMatchObject({ deleted: 1, failed: 0 });
    expect(store.size).toBe(0);
  });
});

test("jobs go with all that came of them after their time, and never where it is 0", async () => {
  const old = await ended(100);
  const young = await ended(2);
  await run({ audioHours: 1000 });
  expect(await bench.jobs.get(old.id)).not.toBeNull();
  await run({ jobHours: 99, audioHours: 1000 });
  expect(await bench.jobs.get(old.id)).toBeNull();
  expect(await bench.jobs.get(young.id)).not.toBeNull();
  expect([...store.keys()]).toEqual([young.audioKey]);
  expect(await audited()).toEqual([{ action: "job.erased", target: old.id }]);
});

describe("jobs with a time of their own", () => {
  const due = async (id: string) =>
    await bench.sql("UPDATE jobs SET erase_at = now() - interval '1 second' WHERE id = $1", [id]);
  const now = () => eraseDue({ db: bench.db, objects, actor: "retention", signal: new AbortController().signal });

  test("go with all that came of them when it is over, whatever the policy says; others stay", async () => {
    const [over, later] = [await ended(0), await ended(0)];
    await due(over.id);
    await bench.sql("UPDATE jobs SET erase_at = now() + interval '1 hour' WHERE id = $1", [later.id]);
    expect(await now()).toEqual({ scanned: 1, deleted: 2, failed: 0, errors: [] });
    expect(await bench.jobs.get(over.id)).toBeNull();
    expect([...store.keys()]).toEqual([later.audioKey]);
    for (const table of ["job_events", "segments", "transcripts", "webhook_deliveries"])
      expect(await bench.sql(`SELECT 1 FROM ${table} WHERE job_id = $1`, [over.id])).toEqual([]);
    expect(await audited()).toEqual([{ action: "job.erased", target: over.id }]);
    expect(await bench.jobs.get(later.id)).not.toBeNull();
  });

  test("go while they wait and while they are worked on: what is written late finds nothing", async () => {
    store.set("audio/waiting", OLD).set("audio/running", OLD);
    const waiting = await bench.create({ audioKey: "audio/waiting" });
    const running = await bench.running({ audioKey: "audio/running" });
    for (const { id } of [waiting, running]) await due(id);
    expect(await run()).toMatchObject({ failed: 0 });
    expect([await bench.jobs.get(waiting.id), await bench.jobs.get(running.id)]).toEqual([null, null]);
    expect(await completeJob(bench.db, running.lease, anOutcome())).toBeFalsy();
    expect(store.size).toBe(0);
  });
});

describe("uploads", () => {
  const upload = async (state: "presigned" | "stored", expiresInHours: number, key = `uploads/${uuidV7()}`) => {
    store.set(key, OLD);
    const expiresAt = new Date(Date.now() + expiresInHours * 3_600_000);
    await tenantUploads(bench.db, bench.tenant.id).create({ state, sizeBytes: 1, storageKey: key, expiresAt });
    return key;
  };

  test("that nobody used go when their time is over; what a job uses goes with its audio", async () => {
    const [presigned, unused, young, used] = [
      await upload("presigned", -1),
      await upload("stored", -1),
      await upload("stored", 1),
      await upload("stored", -1),
    ];
    const job = await bench.create({ audioKey: used });
    expect(await run()).toMatchObject({ deleted: 2, failed: 0 });
    expect([store.has(presigned), store.has(unused), store.has(young), store.has(used)]).toEqual([
      ...[false, false, true, true],
    ]);
    await bench.jobs.cancel(job.id);
    await bench.sql("UPDATE jobs SET completed_at = now() - interval '2 days'");
    await run();
    expect(store.has(used)).toBe(false);
    expect(await bench.sql("SELECT storage_key FROM uploads")).toEqual([{ storage_key: young }]);
  });
});

describe("orphans", () => {
  test("objects that no row names go, unless they are young or none of ours", async () => {
    const { audioKey } = await ended(1);
    store.set("audio/t/stray", OLD).set("audio/t/young", new Date()).set("theirs/x", OLD);
    expect(await run()).toMatchObject({ deleted: 1 });
    expect([...store.keys()].sort()).toEqual(["audio/t/young", audioKey, "theirs/x"].sort());
  });

  test("rows that name what is not there promise it no more; a live job's tells by itself", async () => {
    const { id, audioKey } = await ended(1);
    const live = await bench.create({ audioKey: "audio/lost" });
    store.delete(audioKey);
    expect(await run()).toMatchObject({ deleted: 1, failed: 0 });
    expect(await audioOf(id)).toBeNull();
    expect(await audioOf(live.id)).toBe("audio/lost");
  });
});

test("kept answers and old pings go when their time is over", async () => {
  const idempotency = { route: "/r", key: "k", fingerprint: "f", respond: () => ({ status: 202, body: {} }) };
  await bench.jobs.create(aJob(), idempotency);
  await bench.jobs.create(aJob(), { ...idempotency, key: "l" });
  await bench.sql("UPDATE idempotency_records SET expires_at = now() - interval '1 second' WHERE key = 'k'");
  expect(await run()).toMatchObject({ deleted: 1 });
  expect(await bench.sql("SELECT key FROM idempotency_records")).toEqual([{ key: "l" }]);
});

test("one process at a time cleans", async () => {
  const other = new Client({ connectionString: bench.db.directUrl });
  await other.connect();
  await other.query("SELECT pg_advisory_lock(7204513)");
  expect(await run()).toBe("busy");
  await other.end();
  expect(await run()).toMatchObject({ failed: 0 });
});

test("a store that is away keeps nothing else from being cleaned", async () => {
  await ended(100);
  const away: StoredObjects = {
    ...objects,
    // biome-ignore lint/correctness/useYield: it fails before there is anything to give
    async *list() {
      throw Object.assign(new Error("away"), { name: "StorageError" });
    },
  };
  const policy = { audioHours: 24, jobHours: 1 };
  const signal = new AbortController().signal;
  const report = await runRetention({ db: bench.db, objects: away, policy, actor: "retention", signal });
  expect(report).toMatchObject({ failed: 1, errors: ["storage did not answer while looking at orphaned objects"] });
  expect(await bench.sql("SELECT 1 FROM jobs")).toEqual([]);
});

test("a run that is called off ends", async () => {
  await ended(25);
  const policy = { audioHours: 1, jobHours: 0 };
  const signal = AbortSignal.abort(new Error("called off"));
  await expect(runRetention({ db: bench.db, objects, policy, actor: "r", signal })).rejects.toThrow("called off");
});
