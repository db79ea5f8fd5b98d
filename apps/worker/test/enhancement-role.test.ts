import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import {
  claimEnhancement,
  claimJob,
  completeJob,
  type EnhancementRow,
  recordWindow,
  runRetention,
  tenantDeliveries,
  tenantEnhancements,
  type WantedEnhancement,
} from "@scribe/database";
import { createChatEndpoint } from "@scribe/enhancement";
import { createDispatcher, type Dispatcher, openQueues, type Queues } from "@scribe/queue";
import { type ChatStandIn, startChatStandIn, waitFor } from "@scribe/testing";
import { type EnhancementParts, enhanceOne } from "../src/enhance-one.ts";
import { createHeldJobs } from "../src/held-jobs.ts";
import { startEnhancement } from "../src/roles/enhancement.ts";
import type { Role } from "../src/roles/role.ts";
import { log, openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
let model: ChatStandIn;
let queues: Queues;
let dispatcher: Dispatcher;
let role: Role | undefined;

beforeAll(async () => {
  box = await openWorkerBox();
}, 60_000);
afterAll(async () => {
  await box.close();
});
beforeEach(async () => {
  model = await startChatStandIn();
  queues = await openQueues({ db: box.db, log });
  dispatcher = createDispatcher({ db: box.db, queues, log, sweepSeconds: 60, kinds: ["enhancement"] });
});
afterEach(async () => {
  role?.abort();
  await role?.drain();
  await role?.close();
  role = undefined;
  await dispatcher.stop();
  await queues.close();
  await model.stop();
});

const makeParts = (changes: Partial<EnhancementParts["settings"]> = {}): EnhancementParts => ({
  ...box.parts,
  held: createHeldJobs(),
  poke: (kind) => dispatcher.poke(kind),
  settings: {
    chat: createChatEndpoint({
      client: box.parts.outbound,
      baseUrl: model.baseUrl,
      model: "stand-in",
      timeoutMs: 5_000,
    }),
    contextTokens: 8192,
    leaseSeconds: 30,
    questionLimitMs: 30_000,
    retry: { maxFailures: 3, backoffSeconds: () => 0.05 },
    ...changes,
  },
});

const mine = () => tenantEnhancements(box.db, box.tenant.id);
const wanted = (more: Partial<WantedEnhancement> = {}): WantedEnhancement => ({
  ...{ apiKeyId: null, tasks: ["summary", "title", "sentiment"], options: {}, metadata: { my: "own" } },
  ...{ jobId: null, text: "We met. Anna will call.", webhookUrl: "https://example.com/hook", traceparent: null },
  ...more,
});
const create = async (more: Partial<WantedEnhancement> = {}) => (await mine().create(wanted(more))).id;
const row = async (id: string) => (await mine().get(id)) as EnhancementRow;
const ends = async (id: string, status: string) => {
  await waitFor(async () => (await row(id)).status === status, {
    timeoutMs: 30_000,
    what: `the enhancement to be ${status}`,
  });
  return await row(id);
};
const start = (parts = makeParts(), concurrency = 2) => {
  role = startEnhancement(parts, { queues, concurrency });
  dispatcher.poke("enhancement");
  return parts;
};
/** What its receiver is sent. */
async function bodyOf(id: string) {
  const { rows } = await box.db.pool.query<{ body: string }>(
    "SELECT body FROM webhook_deliveries WHERE enhancement_id = $1",
    [id],
  );
  expect(rows).toHaveLength(1);
  return JSON.parse(rows[0]?.body ?? "");
}
const deliveriesOf = (id: string) => tenantDeliveries(box.db, box.tenant.id).list({ jobId: id, limit: 10 });

test("what was asked is answered, told once, and leaves no steps behind", async () => {
  const id = await create();
  const parts = start();
  const done = await ends(id, "completed");
  expect(done).toMatchObject({ progress: 100, model: "stand-in", attempts: 0, leaseEpoch: 2 });
  expect(done.outputs).toMatchObject({ summary: "In short: We met. Anna will call.", title: "We met. Anna will" });
  expect([done.promptTokens > 100, done.completionTokens > 10]).toEqual([true, true]);
  expect(await bodyOf(id)).toMatchObject({
    type: "enhancement.completed",
    data: {
      job_id: id,
      transcription_job_id: null,
      version: 1,
      status: "completed",
      metadata: { my: "own" },
      result: { model: "stand-in" },
    },
  });
  const { rows } = await box.db.pool.query("SELECT 1 FROM enhancement_steps");
  expect(rows).toEqual([]);
  const samples = await parts.metrics.enhancementTokens.get();
  expect(samples.values.find(({ labels }) => labels.kind === "prompt")?.value).toBeGreaterThanOrEqual(
    done.promptTokens,
  );
});

test("ENHANCED_AI_CONCURRENCY: so many are worked on at once, and no more", async () => {
  const ids = await Promise.all(Array.from({ length: 4 }, () => create({ tasks: ["title"], webhookUrl: null })));
  const atWork = async () => (await Promise.all(ids.map(row))).filter(({ status }) => status === "processing").length;
  model.fail("hang", { times: 100 });
  start(makeParts(), 3);
  await waitFor(async () => (await atWork()) >= 3, { what: "three at work" });
  await sleep(300);
  expect(await atWork()).toBe(3);
  role?.abort();
  await role?.drain();
  await box.db.pool.query("DELETE FROM enhancements WHERE id = ANY($1::uuid[])", [ids]);
});

test("429 waits as long as the endpoint asks, 500 and half an answer are tried again, and nothing is asked twice", async () => {
  model.fail({ status: 429, headers: { "retry-after": "1" } }, { after: 1 });
  model.fail({ status: 500 });
  model.fail("cut");
  const id = await create();
  const startedAt = Date.now();
  // Nothing of it is done between the second and the third failure.
  start(makeParts({ retry: { maxFailures: 4, backoffSeconds: () => 0.05 } }));
  const done = await ends(id, "completed");
  expect(done.attempts).toBe(3);
  expect(Date.now() - startedAt).toBeGreaterThan(1000);
  // Three questions, and three that went wrong.
  expect(model.calls).toHaveLength(6);
});

test("a provider that stays away fails it, after as many tries as there are", async () => {
  model.fail({ status: 503 }, { times: 10 });
  const id = await create();
  start();
  const failed = await ends(id, "failed");
  expect(failed).toMatchObject({ attempts: 3, error: { code: "provider_error", retryable: true } });
  expect(model.calls).toHaveLength(3);
  expect(await bodyOf(id)).toMatchObject({
    type: "enhancement.failed",
    data: { error: { code: "provider_error" } },
  });
});

test.each([
  ["a model that breaks the schema three times", "break-schema" as const, "invalid_output", 3],
  ["a key that is refused", { status: 401 }, "provider_unauthorized", 1],
])("%s fails it at once", async (_name, fault, code, calls) => {
  model.fail(fault, { times: 10 });
  const id = await create();
  start();
  expect(await ends(id, "failed")).toMatchObject({ attempts: 1, error: { code, retryable: false } });
  expect(model.calls).toHaveLength(calls);
});

test("failures count only while nothing gets done", async () => {
  const id = await create({ tasks: ["summary", "title", "sentiment", "keywords", "entities", "action_items"] });
  for (let i = 0; i < 5; i++) model.fail({ status: 500 }, { after: 1 });
  start(makeParts({ retry: { maxFailures: 2, backoffSeconds: () => 0.01 } }));
  expect(await ends(id, "completed")).toMatchObject({ attempts: 5, failures: 0 });
});

test("a worker that died is followed by another, which goes on after what was done", async () => {
  const id = await create();
  model.fail("hang", { after: 2 });
  const dying = makeParts();
  const lost = enhanceOne(id, dying);
  await waitFor(async () => model.calls.length === 3, { what: "the third question" });
  expect((await row(id)).progress).toBe(66);
  // As time would: its lease ends, while it still believes in it.
  await box.db.pool.query("UPDATE enhancements SET lease_until = now() - interval '1 second' WHERE id = $1", [id]);
  start();
  const done = await ends(id, "completed");
  expect(done).toMatchObject({ attempts: 0, leaseEpoch: 3 });
  expect(model.calls).toHaveLength(4);
  dying.held.stopAll("lost");
  expect(await lost).toBe("dropped");
  expect((await row(id)).status).toBe("completed");
});

test("whoever lost the lease writes nothing more", async () => {
  const id = await create({ tasks: ["title"] });
  const parts = makeParts();
  model.answer = () => undefined;
  const stolen = {
    ...parts,
    settings: {
      ...parts.settings,
      chat: {
        model: "slow",
        complete: async (request: Parameters<typeof parts.settings.chat.complete>[0]) => {
          await box.db.pool.query("UPDATE enhancements SET lease_until = now() - interval '1 second' WHERE id = $1", [
            id,
          ]);
          await claimEnhancement(box.db, id, { workerId: "other", leaseSeconds: 60 });
          return await parts.settings.chat.complete(request);
        },
      },
    },
  };
  expect(await enhanceOne(id, stolen)).toBe("dropped");
  expect(await row(id)).toMatchObject({ status: "processing", leaseEpoch: 2, progress: 0 });
  await mine().cancel(id);
});

test("cancelled means that its place is free within two seconds", async () => {
  const id = await create();
  model.fail("hang");
  const { held } = start();
  await waitFor(async () => held.leases().length === 1, { what: "the claim" });
  const cancelledAt = Date.now();
  expect(await mine().cancel(id)).toMatchObject({ outcome: "cancelled", row: { status: "cancelled" } });
  await held.empty();
  expect(Date.now() - cancelledAt).toBeLessThan(2000);
  expect(await row(id)).toMatchObject({ status: "cancelled", error: null });
  expect(await deliveriesOf(id)).toEqual([]);
});

test("at shutdown it is handed back, uncharged, with what was done", async () => {
  const id = await create();
  model.fail("hang", { after: 1 });
  start();
  await waitFor(async () => model.calls.length === 2, { what: "the second question" });
  role?.abort();
  await role?.drain();
  expect(await row(id)).toMatchObject({ status: "processing", attempts: 0, crashes: 0, progress: 33 });
  await role?.close();
  start();
  await ends(id, "completed");
  expect(model.calls).toHaveLength(4);
});

test("leases that end five times in a row are poison", async () => {
  const id = await create();
  for (let i = 0; i < 5; i++) {
    expect(await claimEnhancement(box.db, id, { workerId: "w", leaseSeconds: 60 })).not.toBeNull();
    await box.db.pool.query("UPDATE enhancements SET lease_until = now() - interval '1 second' WHERE id = $1", [id]);
  }
  expect(await claimEnhancement(box.db, id, { workerId: "w", leaseSeconds: 60 })).toBeNull();
  expect(await row(id)).toMatchObject({ status: "failed", error: { code: "worker_crashed" } });
});

async function completedJob(text: string): Promise<string> {
  const { id } = await box.create();
  const claimed = await claimJob(box.db, id, { workerId: "w", leaseSeconds: 60 });
  const lease = { jobId: id, epoch: claimed?.leaseEpoch ?? 0 };
  const figures = { avg_logprob: 0, no_speech_prob: 0, compression_ratio: 1, temperature: 0 };
  const checkpoint = { fingerprint: "test", processedSeconds: 1, state: null };
  await recordWindow(box.db, lease, {
    segments: [{ id: 0, start: 1, end: 2, text, ...figures }],
    progress: 50,
    checkpoint,
  });
  await completeJob(box.db, lease, { text, language: "en", languageProbability: 1, duration: 2, warnings: [] });
  return id;
}

test("a transcript's versions stay side by side; a job erased in mid-work takes all of them along", async () => {
  const jobId = await completedJob(" Anna will call Miller.");
  const first = await create({ jobId, text: null, tasks: ["action_items"] });
  start();
  expect((await ends(first, "completed")).outputs).toEqual({
    action_items: [
      { text: "Anna will call Miller.", owner: null, due: null, quote: "Anna will call Miller", start: 1, end: 2 },
    ],
  });
  const second = await create({ jobId, text: null, tasks: ["action_items"] });
  dispatcher.poke("enhancement");
  await ends(second, "completed");
  expect(await mine().ofJob(jobId)).toMatchObject([
    { id: first, version: 1 },
    { id: second, version: 2 },
  ]);
  model.fail("hang");
  await create({ jobId, text: null });
  dispatcher.poke("enhancement");
  await waitFor(async () => model.calls.length === 3, { what: "the third" });
  await box.jobs.erase(jobId, async () => {});
  const { rows } = await box.db.pool.query("SELECT 1 FROM enhancements WHERE job_id = $1", [jobId]);
  expect(rows).toEqual([]);
  const { rows: told } = await box.db.pool.query(
    "SELECT 1 FROM webhook_deliveries WHERE enhancement_id = ANY($1::uuid[])",
    [[first, second]],
  );
  expect(told).toEqual([]);
});

test("a result that is too long for a webhook is named instead", async () => {
  const long = await create({
    text: "One line that is said. ".repeat(600),
    tasks: ["translate"],
    options: { target_language: "de" },
  });
  model.answer = ({ body }) => {
    const lines = [...(body.messages[1]?.content ?? "").matchAll(/^(\d+) /gm)].map(([, line]) => Number(line));
    return { lines: lines.map((line) => ({ line, text: "long ".repeat(100) })) };
  };
  start();
  expect(JSON.stringify((await ends(long, "completed")).outputs).length).toBeGreaterThan(256 * 1024);
  const { data } = await bodyOf(long);
  expect(data).not.toHaveProperty("result");
  expect(data.result_url).toMatch(new RegExp(`/api/v1/enhanced-ai/${long}$`));
});

test("what is old is erased with its texts", async () => {
  const id = await create({ tasks: ["title"] });
  start();
  await ends(id, "completed");
  await box.db.pool.query("UPDATE enhancements SET completed_at = now() - interval '2 hours' WHERE id = $1", [id]);
  await runRetention({
    ...{ db: box.db, objects: box.storage, policy: { audioHours: 24, jobHours: 1 }, actor: "retention" },
    signal: AbortSignal.timeout(20_000),
  });
  expect(await mine().get(id)).toBeNull();
});

test("one tenant's many do not hold up another's one", async () => {
  const { rows } = await box.db.pool.query<{ id: string }>(
    `INSERT INTO tenants (id, name, webhook_secret_encrypted) VALUES (gen_random_uuid(), 'theirs', 'x') RETURNING id`,
  );
  const many = await Promise.all(Array.from({ length: 30 }, () => create({ tasks: ["title"], webhookUrl: null })));
  const one = (
    await tenantEnhancements(box.db, rows[0]?.id ?? "").create(wanted({ tasks: ["title"], webhookUrl: null }))
  ).id;
  dispatcher.poke("enhancement");
  const inWindow = await waitFor(
    async () => {
      const found = await box.db.pool.query<{ id: string }>(
        "SELECT id FROM enhancements WHERE dispatched_at IS NOT NULL",
      );
      return found.rows.length === 16 ? found.rows.map(({ id }) => id) : null;
    },
    { what: "a full window" },
  );
  expect(inWindow).toContain(one);
  await box.db.pool.query("DELETE FROM enhancements WHERE id = ANY($1::uuid[])", [[...many, one]]);
});
