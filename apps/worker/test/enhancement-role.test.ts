import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { claimJob, completeJob, recordWindow, runRetention, tenantEnhancements } from "@scribe/database";
import { waitFor } from "@scribe/testing";
import { useEnhancementBench, wanted } from "./enhancement-bench.ts";

const here = useEnhancementBench();

test("what was asked is answered, told once, and leaves no steps behind", async () => {
  const id = await here.bench.create();
  const parts = here.bench.start();
  const done = await here.bench.ends(id, "completed");
  expect(done).toMatchObject({ progress: 100, model: "stand-in", attempts: 0, leaseEpoch: 2 });
  expect(done.outputs).toMatchObject({ summary: "In short: We met. Anna will call.", title: "We met. Anna will" });
  expect([done.promptTokens > 100, done.completionTokens > 10]).toEqual([true, true]);
  expect(await here.bench.bodyOf(id)).toMatchObject({
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
  const { rows } = await here.box.db.pool.query("SELECT 1 FROM enhancement_steps");
  expect(rows).toEqual([]);
  const samples = await parts.metrics.enhancementTokens.get();
  expect(samples.values.find(({ labels }) => labels.kind === "prompt")?.value).toBeGreaterThanOrEqual(
    done.promptTokens,
  );
});

test("ENHANCED_AI_CONCURRENCY: so many are worked on at once, and no more", async () => {
  const ids = await Promise.all(
    Array.from({ length: 4 }, () => here.bench.create({ tasks: ["title"], webhookUrl: null })),
  );
  const atWork = async () =>
    (await Promise.all(ids.map(here.bench.row))).filter(({ status }) => status === "processing").length;
  here.bench.model.fail("hang", { times: 100 });
  here.bench.start(here.bench.makeParts(), 3);
  await waitFor(async () => (await atWork()) >= 3, { what: "three at work" });
  await sleep(300);
  expect(await atWork()).toBe(3);
  here.bench.role?.abort();
  await here.bench.role?.drain();
  await here.box.db.pool.query("DELETE FROM enhancements WHERE id = ANY($1::uuid[])", [ids]);
});

test("429 waits as long as the endpoint asks, 500 and half an answer are tried again, and nothing is asked twice", async () => {
  here.bench.model.fail({ status: 429, headers: { "retry-after": "1" } }, { after: 1 });
  here.bench.model.fail({ status: 500 });
  here.bench.model.fail("cut");
  const id = await here.bench.create();
  const startedAt = Date.now();
  // Nothing of it is done between the second and the third failure.
  here.bench.start(here.bench.makeParts({ retry: { maxFailures: 4, backoffSeconds: () => 0.05 } }));
  const done = await here.bench.ends(id, "completed");
  expect(done.attempts).toBe(3);
  expect(Date.now() - startedAt).toBeGreaterThan(1000);
  // Three questions, and three that went wrong.
  expect(here.bench.model.calls).toHaveLength(6);
});

test("a provider that stays away fails it, after as many tries as there are", async () => {
  here.bench.model.fail({ status: 503 }, { times: 10 });
  const id = await here.bench.create();
  here.bench.start();
  const failed = await here.bench.ends(id, "failed");
  expect(failed).toMatchObject({ attempts: 3, error: { code: "provider_error", retryable: true } });
  expect(here.bench.model.calls).toHaveLength(3);
  expect(await here.bench.bodyOf(id)).toMatchObject({
    type: "enhancement.failed",
    data: { error: { code: "provider_error" } },
  });
});

test.each([
  ["a model that breaks the schema three times", "break-schema" as const, "invalid_output", 3],
  ["a key that is refused", { status: 401 }, "provider_unauthorized", 1],
])("%s fails it at once", async (_name, fault, code, calls) => {
  here.bench.model.fail(fault, { times: 10 });
  const id = await here.bench.create();
  here.bench.start();
  expect(await here.bench.ends(id, "failed")).toMatchObject({ attempts: 1, error: { code, retryable: false } });
  expect(here.bench.model.calls).toHaveLength(calls);
});

test("failures count only while nothing gets done", async () => {
  const id = await here.bench.create({
    tasks: ["summary", "title", "sentiment", "keywords", "entities", "action_items"],
  });
  for (let i = 0; i < 5; i++) here.bench.model.fail({ status: 500 }, { after: 1 });
  here.bench.start(here.bench.makeParts({ retry: { maxFailures: 2, backoffSeconds: () => 0.01 } }));
  expect(await here.bench.ends(id, "completed")).toMatchObject({ attempts: 5, failures: 0 });
});

async function completedJob(text: string): Promise<string> {
  const { id } = await here.box.create();
  const claimed = await claimJob(here.box.db, id, { workerId: "w", leaseSeconds: 60 });
  const lease = { jobId: id, epoch: claimed?.leaseEpoch ?? 0 };
  const figures = { avg_logprob: 0, no_speech_prob: 0, compression_ratio: 1, temperature: 0 };
  const checkpoint = { fingerprint: "test", processedSeconds: 1, state: null };
  await recordWindow(here.box.db, lease, {
    segments: [{ id: 0, start: 1, end: 2, text, ...figures }],
    progress: 50,
    checkpoint,
  });
  await completeJob(here.box.db, lease, { text, language: "en", languageProbability: 1, duration: 2, warnings: [] });
  return id;
}

test("a transcript's versions stay side by side; a job erased in mid-work takes all of them along", async () => {
  const jobId = await completedJob(" Anna will call Miller.");
  const first = await here.bench.create({ jobId, text: null, tasks: ["action_items"] });
  here.bench.start();
  expect((await here.bench.ends(first, "completed")).outputs).toEqual({
    action_items: [
      { text: "Anna will call Miller.", owner: null, due: null, quote: "Anna will call Miller", start: 1, end: 2 },
    ],
  });
  const second = await here.bench.create({ jobId, text: null, tasks: ["action_items"] });
  here.bench.dispatcher.poke("enhancement");
  await here.bench.ends(second, "completed");
  expect((await here.box.jobs.getWhole(jobId, { withResult: false }))!.enhancements).toMatchObject([
    { id: first, version: 1 },
    { id: second, version: 2 },
  ]);
  here.bench.model.fail("hang");
  await here.bench.create({ jobId, text: null });
  here.bench.dispatcher.poke("enhancement");
  await waitFor(async () => here.bench.model.calls.length === 3, { what: "the third" });
  await here.box.jobs.erase(jobId, async () => {});
  const { rows } = await here.box.db.pool.query("SELECT 1 FROM enhancements WHERE job_id = $1", [jobId]);
  expect(rows).toEqual([]);
  const { rows: told } = await here.box.db.pool.query(
    "SELECT 1 FROM webhook_deliveries WHERE enhancement_id = ANY($1::uuid[])",
    [[first, second]],
  );
  expect(told).toEqual([]);
});

test("a result that is too long for a webhook is named instead", async () => {
  const long = await here.bench.create({
    text: "One line that is said. ".repeat(600),
    tasks: ["translate"],
    options: { target_language: "de" },
  });
  here.bench.model.answer = ({ body }) => {
    const lines = [...(body.messages[1]?.content ?? "").matchAll(/^(\d+) /gm)].map(([, line]) => Number(line));
    return { lines: lines.map((line) => ({ line, text: "long ".repeat(100) })) };
  };
  here.bench.start();
  expect(JSON.stringify((await here.bench.ends(long, "completed")).outputs).length).toBeGreaterThan(256 * 1024);
  const { data } = await here.bench.bodyOf(long);
  expect(data).not.toHaveProperty("result");
  expect(data.result_url).toMatch(new RegExp(`/api/v1/enhanced-ai/${long}$`));
});

test("what is old is erased with its texts", async () => {
  const id = await here.bench.create({ tasks: ["title"] });
  here.bench.start();
  await here.bench.ends(id, "completed");
  await here.box.db.pool.query("UPDATE enhancements SET completed_at = now() - interval '2 hours' WHERE id = $1", [id]);
  await runRetention({
    ...{ db: here.box.db, objects: here.box.storage, policy: { audioHours: 24, jobHours: 1 }, actor: "retention" },
    signal: AbortSignal.timeout(20_000),
  });
  expect(await here.bench.mine().get(id)).toBeNull();
});

test("one tenant's many do not hold up another's one", async () => {
  const { rows } = await here.box.db.pool.query<{ id: string }>(
    `INSERT INTO tenants (id, name, webhook_secret_encrypted) VALUES (gen_random_uuid(), 'theirs', 'x') RETURNING id`,
  );
  const many = await Promise.all(
    Array.from({ length: 30 }, () => here.bench.create({ tasks: ["title"], webhookUrl: null })),
  );
  const one = (
    await tenantEnhancements(here.box.db, rows[0]?.id ?? "").create(wanted({ tasks: ["title"], webhookUrl: null }))
  ).id;
  here.bench.dispatcher.poke("enhancement");
  const inWindow = await waitFor(
    async () => {
      const found = await here.box.db.pool.query<{ id: string }>(
        "SELECT id FROM enhancements WHERE dispatched_at IS NOT NULL",
      );
      return found.rows.length === 16 ? found.rows.map(({ id }) => id) : null;
    },
    { what: "a full window" },
  );
  expect(inWindow).toContain(one);
  await here.box.db.pool.query("DELETE FROM enhancements WHERE id = ANY($1::uuid[])", [[...many, one]]);
});
