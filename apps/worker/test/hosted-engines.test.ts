import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import { type NewJob, tenantProviders, tenantUsage } from "@scribe/database";
import { createOutboundClient } from "@scribe/outbound";
import {
  type AssemblyaiStandIn,
  makeWav,
  type OpenaiStandIn,
  startAssemblyaiStandIn,
  startOpenaiStandIn,
  tone,
  waitFor,
} from "@scribe/testing";
import type { WorkerParts } from "../src/attempt.ts";
import { type HostedEnginesOptions, openHostedEngines } from "../src/engines/hosted-engines.ts";
import { providerAccess } from "../src/engines/provider-access.ts";
import { openWorkerBox, type WorkerBox } from "./worker-box.ts";

const KEY = "sk-stand-in-0123456789";
const ASSEMBLYAI_KEY = "stand-in-0123456789abcdef";

let box: WorkerBox;
let openai: OpenaiStandIn;
let assemblyai: AssemblyaiStandIn;
const hosted: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  box = await openWorkerBox();
  openai = await startOpenaiStandIn({ key: KEY });
  assemblyai = await startAssemblyaiStandIn({ key: ASSEMBLYAI_KEY });
});
afterEach(async () => {
  await tenantProviders(box.db, box.tenant.id).remove("openai");
});
afterAll(async () => {
  await Promise.all(hosted.map((engines) => engines.close()));
  await Promise.all([openai.stop(), assemblyai.stop()]);
  await box.close();
});

/** The operator's settings, with the stand-ins' addresses and keys unless told otherwise. */
const operator = (env: Record<string, string> = {}) =>
  readConfig({
    ...{ OPENAI_API_KEY: KEY, OPENAI_BASE_URL: openai.baseUrl },
    ...{ ASSEMBLYAI_API_KEY: ASSEMBLYAI_KEY, ASSEMBLYAI_BASE_URL: assemblyai.url, PROVIDER_TIMEOUT_SECONDS: "2" },
    ...env,
  }).config;

async function worker(
  env: Record<string, string> = {},
  policy: HostedEnginesOptions["policy"] = {},
): Promise<WorkerParts> {
  const parts = box.parts;
  const opened = openHostedEngines({
    ...{ config: operator(env), db: box.db, outbound: parts.outbound, policy, programs: parts.programs },
    paces: { chunkSeconds: 10, pollMs: 20, maxRetries: 0 },
  });
  hosted.push(opened);
  return { ...parts, engines: new Map([...parts.engines, ...opened.engines]) };
}

const upload = (seconds: number, job: Partial<NewJob> = {}) =>
  box.upload(
    makeWav({ seconds, signal: tone(440) }),
    {},
    { engine: "openai", model: "whisper-1", metadata: {}, ...job },
  );

test("a recording becomes a transcript, part by part, and is counted by its model", async () => {
  openai.heardSeconds.length = 0;
  const { id } = await upload(25);
  expect(await box.work(id, await worker())).toBe("completed");
  expect(openai.heardSeconds.reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(25, 6);
  expect(openai.heardSeconds.length).toBe(3);
  const transcript = await box.jobs.transcript(id);
  expect(transcript).toMatchObject({ language: "en", duration: 25, words_method: "provider" });
  const words = transcript!.segments.flatMap(({ words }) => words ?? []);
  expect(words.map(({ start }) => start)).toEqual([...words.map(({ start }) => start)].sort((a, b) => a - b));
  expect(
    transcript!.segments.map(({ words: own, text }) => own!.map(({ word }) => word).join("") === text),
  ).not.toContain(false);
  const today = new Date().toISOString().slice(0, 10);
  expect(await tenantUsage(box.db, box.tenant.id).list({ from: today, to: today })).toContainEqual(
    expect.objectContaining({ model: "whisper-1", completed: 1, audioSeconds: 25 }),
  );
});

test("429 waits as long as the provider asks, then goes on after the last part that was done", async () => {
  const { id } = await upload(25);
  // The first part is answered, the second is not.
  openai.failAfter(1, /transcriptions/, { status: 429, headers: { "retry-after": "30" } });
  const parts = await worker();
  const outcome = await box.work(id, parts);
  expect(outcome).toBe("retry");
  const { rows } = await box.db.pool.query(
    "SELECT extract(epoch FROM next_run_at - now())::float AS wait, checkpoint IS NOT NULL AS kept FROM jobs WHERE id = $1",
    [id],
  );
  expect(rows[0].kept).toBe(true);
  expect(rows[0].wait).toBeGreaterThan(20);
  await box.db.pool.query("UPDATE jobs SET next_run_at = now() - interval '1 second' WHERE id = $1", [id]);
  openai.requests.length = 0;
  expect(await box.work(id, parts)).toBe("completed");
  expect(openai.requests.length).toBeLessThan(3);
  expect((await box.row(id)).attempts).toBe(1);
});

test.each([
  [{ status: 500 }, "retry", null],
  ["half", "retry", null],
  ["hang", "retry", null],
  [{ status: 401 }, "failed", { code: "provider_unauthorized", retryable: false }],
  [
    { status: 400, message: "Bad audio." },
    "failed",
    { code: "provider_error", message: "OpenAI refused the request (400): Bad audio." },
  ],
] as const)("%j ends the attempt as %s", async (fault, outcome, error) => {
  const { id } = await upload(3);
  openai.fail(/transcriptions/, fault as never);
  expect(await box.work(id, await worker())).toBe(outcome);
  expect((await box.row(id)).error).toEqual(error === null ? null : expect.objectContaining(error));
});

test("a cancelled job lets go of a provider that does not answer, within two seconds", async () => {
  const { id } = await upload(3);
  openai.fail(/transcriptions/, "hang");
  openai.requests.length = 0;
  const working = box.work(id, await worker({ PROVIDER_TIMEOUT_SECONDS: "60" }));
  await waitFor(() => openai.requests.length === 1, { what: "the provider to be asked" });
  await box.jobs.cancel(id);
  const startedAt = performance.now();
  box.parts.held.stopJob(id, "cancelled");
  expect(await working).toBe("dropped");
  expect(performance.now() - startedAt).toBeLessThan(2000);
});

describe("speakers", () => {
  test("of AssemblyAI are its own, by our names", async () => {
    const { id } = await upload(20, { engine: "assemblyai", model: "universal", options: { diarize: true } });
    expect(await box.work(id, await worker())).toBe("completed");
    const transcript = await box.jobs.transcript(id);
    expect(transcript).toMatchObject({
      speakers: ["SPEAKER_00", "SPEAKER_01"],
      diarization: { method: "assemblyai", num_speakers: 2 },
    });
    expect(transcript!.segments.map(({ speaker }) => speaker)).toEqual([
      "SPEAKER_00",
      "SPEAKER_01",
      "SPEAKER_00",
      "SPEAKER_01",
    ]);
  });

  test("of OpenAI's words are told apart by us", async () => {
    const { id } = await upload(12, { options: { diarize: true } });
    const turn = (start: number, end: number, speaker: string) => ({ start, end, speaker });
    const turns = [turn(0, 5, "SPEAKER_00"), turn(5, 12, "SPEAKER_01")];
    const found = { method: "test", speakers: ["SPEAKER_00", "SPEAKER_01"], turns, exclusiveTurns: turns };
    expect(await box.work(id, { ...(await worker()), findSpeakers: async () => found })).toBe("completed");
    const { segments, speakers } = (await box.jobs.transcript(id))!;
    expect(speakers).toEqual(["SPEAKER_00", "SPEAKER_01"]);
    expect(
      segments
        .flatMap(({ words }) => words ?? [])
        .filter(({ start }) => start < 4.5)
        .every(({ speaker }) => speaker === "SPEAKER_00"),
    ).toBe(true);
  });
});

test.each([
  ["openai", "whisper-1"],
  ["assemblyai", "universal"],
])("each channel of a call is asked of %s, and is a speaker", async (engine, model) => {
  const call = makeWav({ seconds: 8, channels: 2, signal: (at, channel) => tone(300 + 200 * channel)(at, 0) });
  const options = { channels: "split" as const };
  const { id } = await box.upload(call, {}, { engine, model, options, metadata: {} });
  expect(await box.work(id, await worker())).toBe("completed");
  const { segments, speakers } = (await box.jobs.transcript(id))!;
  expect(speakers).toHaveLength(2);
  expect(new Set(segments.map(({ channel }) => channel))).toEqual(new Set([0, 1]));
});

test("what is personal is taken out of a provider's words before they are stored", async () => {
  const told = await startOpenaiStandIn({
    key: KEY,
    hear: () => ["write", "to", "ann@example.com", "please."].map((word, i) => ({ word, start: i, end: i + 0.5 })),
  });
  const { id } = await upload(5, { options: { redact: ["email"] } });
  expect(await box.work(id, await worker({ OPENAI_BASE_URL: told.baseUrl }))).toBe("completed");
  await told.stop();
  const stored = await box.db.pool.query("SELECT data::text, text FROM segments WHERE job_id = $1", [id]);
  expect(JSON.stringify(stored.rows)).toContain("write");
  expect(JSON.stringify(stored.rows) + (await box.jobs.transcript(id))!.text).not.toContain("ann@");
});

describe("keys", () => {
  const sealedOf = async (id: string) =>
    (await box.db.pool.query("SELECT provider_account_encrypted AS sealed FROM jobs WHERE id = $1", [id])).rows[0]
      .sealed;

  test("of a request live, encrypted, until its job ends, however it ends", async () => {
    const parts = await worker({ OPENAI_API_KEY: "", OPENAI_BASE_URL: "" });
    const account = { apiKey: KEY, baseUrl: openai.baseUrl };
    const { id } = await upload(3, { providerAccount: account });
    expect(await sealedOf(id)).toMatch(/^v1\./);
    openai.fail(/transcriptions/, { status: 500 });
    expect(await box.work(id, parts)).toBe("retry");
    expect(await sealedOf(id)).toMatch(/^v1\./);
    expect(await box.work(id, parts)).toBe("completed");
    expect(await sealedOf(id)).toBeNull();

    const failed = await upload(3, { providerAccount: { ...account, apiKey: "sk-wrong" } });
    expect(await box.work(failed.id, parts)).toBe("failed");
    const cancelled = await upload(3, { providerAccount: account });
    await box.jobs.cancel(cancelled.id);
    expect([await sealedOf(failed.id), await sealedOf(cancelled.id)]).toEqual([null, null]);
    const everything = await box.db.pool.query(
      "SELECT jobs::text AS row FROM jobs UNION ALL SELECT job_events::text FROM job_events",
    );
    expect(JSON.stringify(everything.rows)).not.toMatch(/sk-(stand|wrong)/);
  });

  test("are the request's, else the tenant's, else the operator's; an address of a tenant's never gets the operator's", async () => {
    const { id: tenantId } = box.tenant;
    const ask = async (account: NewJob["providerAccount"], env = {}) => {
      const job = await upload(1, { providerAccount: account });
      const { db } = box;
      return await providerAccess({ db, config: operator(env) }, "openai", await box.row(job.id));
    };
    const ofOperator = { apiKey: KEY, baseUrl: openai.baseUrl, addressBy: "operator" };
    expect(await ask(undefined)).toEqual(ofOperator);
    expect(await ask({ apiKey: "sk-request" })).toEqual({ ...ofOperator, apiKey: "sk-request" });
    expect(await ask(undefined, { OPENAI_BASE_URL: "" })).toMatchObject({ baseUrl: "https://api.openai.com/v1" });

    const theirs = "https://speech.example.com/v1";
    await tenantProviders(box.db, tenantId).put("openai", { apiKey: "sk-tenant", baseUrl: theirs, models: [] });
    expect(await ask(undefined)).toEqual({ apiKey: "sk-tenant", baseUrl: theirs, addressBy: "tenant" });
    expect(await ask({ apiKey: "sk-request" })).toEqual({ apiKey: "sk-request", baseUrl: theirs, addressBy: "tenant" });
    const named = { apiKey: "sk-request", baseUrl: "https://other.example.com/v1" };
    expect(await ask(named)).toEqual({ ...named, addressBy: "tenant" });
    await tenantProviders(box.db, tenantId).put("openai", { apiKey: "sk-tenant", baseUrl: null, models: [] });
    expect(await ask(undefined)).toEqual({ ...ofOperator, apiKey: "sk-tenant" });

    await tenantProviders(box.db, tenantId).remove("openai");
    await expect(ask(undefined, { OPENAI_API_KEY: "" })).rejects.toMatchObject({
      code: "provider_unauthorized",
      retryable: false,
    });
  });

  test("of others go to no address that a job named", async () => {
    const { id } = await upload(1, { options: { provider_address: openai.baseUrl } });
    openai.requests.length = 0;
    expect(await box.work(id, await worker())).toBe("failed");
    expect((await box.row(id)).error).toMatchObject({ code: "provider_unauthorized" });
    expect(openai.requests).toHaveLength(0);
  });

  test("go to no address inside that a tenant chose", async () => {
    const { id } = await upload(3, { providerAccount: { apiKey: KEY, baseUrl: openai.baseUrl } });
    openai.requests.length = 0;
    const parts = await worker();
    const strict = openHostedEngines({
      ...{ config: operator(), db: box.db, outbound: createOutboundClient({}), policy: {}, programs: parts.programs },
    });
    hosted.push(strict);
    expect(await box.work(id, { ...parts, engines: strict.engines })).toBe("failed");
    expect((await box.row(id)).error).toMatchObject({ code: "url_not_allowed" });
    expect(openai.requests).toHaveLength(0);
  });
});

test("LOCAL_ONLY: nothing is asked of anybody, and the job says why", async () => {
  const [before, asked] = [openai.requests.length, assemblyai.requests.length];
  for (const engine of ["openai", "assemblyai"]) {
    const { id } = await upload(3, { engine });
    expect(await box.work(id, await worker({ LOCAL_ONLY: "true" }))).toBe("failed");
    expect((await box.row(id)).error).toMatchObject({
      message: expect.stringContaining("LOCAL_ONLY"),
      retryable: false,
    });
  }
  expect([openai.requests.length, assemblyai.requests.length]).toEqual([before, asked]);
});
