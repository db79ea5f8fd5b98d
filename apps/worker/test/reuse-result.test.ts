import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ensureTenant, type NewJob, tenantJobs } from "@scribe/database";
import { type Engine, JobError } from "@scribe/domain";
import { type FileServer, makeWav, startFileServer, tone } from "@scribe/testing";
import type { WorkerParts } from "../src/attempt.ts";
import { createResultCache } from "../src/result-cache.ts";
import { openWorkerBox, type WorkerBox } from "./worker-box.ts";

const SCRIPT = { window_seconds: 1, text: "Part {n}." };
const WORKED = { options: { cache: true } } as const;

let box: WorkerBox;
let files: FileServer;
let pitch = 200;
/** Audio that no other test has. */
function newAudio(): Uint8Array {
  pitch += 10;
  return makeWav({ seconds: 2, signal: tone(pitch) });
}
beforeAll(async () => {
  box = await openWorkerBox();
  files = await startFileServer();
});
afterAll(async () => {
  await files.stop();
  expect(await box.temporaryFiles()).toEqual(["worker-a"]);
  await box.close();
});

async function finished(bytes: Uint8Array, job: Partial<NewJob> = WORKED, script: object = SCRIPT) {
  const { id } = await box.upload(bytes, { ...script }, job);
  expect(await box.work(id)).toBe("completed");
  return id;
}
const result = async (id: string) => (await box.jobs.transcript(id))!;
const isCached = async (id: string) => (await result(id)).cached === true;
const events = async (id: string) =>
  (await box.jobs.events(id, 0, 100)).map(({ ordinal, type, data }) => [ordinal, type, data.status ?? data.text]);
const usageSeconds = async () =>
  (
    await box.db.pool.query<{ s: number; n: number }>(
      "SELECT sum(audio_seconds) AS s, sum(completed)::int AS n FROM usage",
    )
  ).rows[0]!;

test("an equal job has the earlier one's result, and tells it as if it had worked", async () => {
  const audio = newAudio();
  const first = await finished(audio);
  expect(await isCached(first)).toBe(false);
  const before = await usageSeconds();
  const webhook = { webhookUrl: "https://example.com/hook", webhookEvents: ["job.started", "job.completed"] };
  const again = await finished(audio, { ...WORKED, ...webhook });
  const { cached, ...rest } = await result(again);
  expect(cached).toBe(true);
  expect(rest).toEqual(await result(first));
  expect(await box.row(again)).toMatchObject({ status: "completed", progress: 100, duration: 2, language: "en" });
  expect(await events(again)).toEqual(await events(first));
  const { rows } = await box.db.pool.query(
    "SELECT type, body FROM webhook_deliveries WHERE job_id = $1 ORDER BY type",
    [again],
  );
  expect(rows.map(({ type }) => type)).toEqual(["job.completed", "job.started"]);
  expect(JSON.parse(rows[0].body).data.result).toMatchObject({ cached: true, text: "Part 1. Part 2." });
  // Counted as a job, and as no audio.
  const after = await usageSeconds();
  expect([after.n - before.n, after.s - before.s]).toEqual([1, 0]);
});

test("audio at an address is known once it is fetched", async () => {
  const audio = newAudio();
  const first = await finished(audio);
  const url = files.serve("again.wav", audio);
  const { id } = await box.create(SCRIPT, { ...WORKED, source: { kind: "url", url } });
  expect(await box.work(id)).toBe("completed");
  expect(await result(id)).toEqual({ ...(await result(first)), cached: true });
  // The fetched audio is kept as any job's.
  expect(await box.row(id)).toMatchObject({ audioKey: expect.stringContaining(id), audioBytes: audio.length });
});

test.each<[string, Partial<NewJob>, object]>([
  ["another option", { options: { cache: true, beam_size: 2 } }, SCRIPT],
  ["redaction", { options: { cache: true, redact: ["email"] } }, SCRIPT],
  ["a lexicon", { options: { cache: true, lexicon: "names" } }, SCRIPT],
  ["another model", { ...WORKED, model: "other" }, SCRIPT],
  ["another script", WORKED, { ...SCRIPT, text: "Else {n}." }],
  ["`cache: false`", { options: { cache: false } }, SCRIPT],
  ["an engine that rehearses, unasked", { options: {} }, SCRIPT],
])("with %s a job is worked on", async (_, over, script) => {
  const audio = newAudio();
  await finished(audio);
  expect(await isCached(await finished(audio, over, script))).toBe(false);
});

test("the order of options, `auto` and what it is called do not matter", async () => {
  const audio = newAudio();
  await finished(audio, { options: { cache: true, language: "auto", beam_size: 2, vad: true } });
  const again = await finished(audio, {
    options: { vad: true, beam_size: 2, cache: true },
    ...{ recordingId: "other", priority: 1 },
  });
  expect(await isCached(again)).toBe(true);
});

test("what `cache: false` computes answers nobody", async () => {
  const audio = newAudio();
  await finished(audio, { options: { cache: false } });
  expect(await isCached(await finished(audio))).toBe(false);
});

test("a result never passes from one tenant to another", async () => {
  const audio = newAudio();
  await finished(audio);
  const { id: other } = await ensureTenant(box.db, "other");
  const mine = await box.upload(audio, SCRIPT, WORKED);
  const { id } = await tenantJobs(box.db, other).create({
    ...{ apiKeyId: null, engine: "synthetic", model: "synthetic", options: { cache: true }, priority: 2 },
    ...{ source: mine.source, audioSeconds: 2, metadata: mine.metadata, webhookEvents: [] },
    ...{ audioKey: mine.audioKey!, audioSha256: mine.audioSha256!, audioBytes: audio.length },
  });
  expect(await box.work(id)).toBe("completed");
  expect((await tenantJobs(box.db, other).transcript(id))!.cached).toBeUndefined();
});

test("erasing the job erases what it would have answered, copies or not", async () => {
  const audio = newAudio();
  const first = await finished(audio);
  const copy = await finished(audio);
  expect(await isCached(copy)).toBe(true);
  await box.jobs.erase(first, async () => {});
  expect(await isCached(await finished(audio))).toBe(false);
  expect((await result(copy)).text).toBe("Part 1. Part 2.");
});

test("a result whose speakers were renamed answers no other", async () => {
  const audio = newAudio();
  const first = await finished(audio);
  await box.db.pool.query("UPDATE transcripts SET speakers = '{SPEAKER_00}' WHERE job_id = $1", [first]);
  await box.jobs.renameSpeakers(first, new Map([["SPEAKER_00", "Ada"]]));
  expect(await isCached(await finished(audio))).toBe(false);
});

test("a result with a warning of the work answers no other", async () => {
  const audio = newAudio();
  const warning: Partial<NewJob> = { options: { cache: true, diarize: true } };
  const failing = async () => {
    throw new Error("no speakers today");
  };
  const parts: WorkerParts = { ...box.parts, findSpeakers: failing };
  const { id } = await box.upload(audio, SCRIPT, warning);
  expect(await box.work(id, parts)).toBe("completed");
  expect((await box.row(id)).warnings).toHaveLength(1);
  const { id: again } = await box.upload(audio, SCRIPT, warning);
  expect(await box.work(again, parts)).toBe("completed");
  expect(await isCached(again)).toBe(false);
});

test("a job that is under way goes on, and a retried one may find a result", async () => {
  const audio = newAudio();
  const { id } = await box.upload(audio, { ...SCRIPT, crash_at: 1 }, WORKED);
  expect(await box.work(id)).toBe("handed_back");
  await finished(audio, WORKED, { ...SCRIPT, crash_at: undefined });
  await box.db.pool.query("UPDATE jobs SET metadata = $2 WHERE id = $1", [id, { synthetic: JSON.stringify(SCRIPT) }]);
  expect(await box.work(id)).toBe("completed");
  expect(await isCached(id)).toBe(false);
});

test("a lease that is lost in between leaves nothing of the result", async () => {
  const audio = newAudio();
  await finished(audio);
  const { id } = await box.upload(audio, SCRIPT, WORKED);
  const cancelling: WorkerParts = {
    ...box.parts,
    resultCache: {
      ...box.parts.resultCache,
      keyOf: async (job, sha256) => {
        await box.jobs.cancel(id);
        return await box.parts.resultCache.keyOf(job, sha256);
      },
    },
  };
  expect(await box.work(id, cancelling)).not.toBe("completed");
  expect(await box.row(id)).toMatchObject({ status: "cancelled" });
  expect(await box.jobs.segments(id)).toEqual([]);
});

test("a model that cannot be read costs the key, and not the job", async () => {
  const engine = { identityOf: () => Promise.reject(new JobError("model_unavailable", "gone")) } as unknown as Engine;
  const resultCache = createResultCache({ engines: new Map([["synthetic", { engine }]]), speakers: null });
  const { id } = await box.upload(newAudio(), SCRIPT, WORKED);
  expect(await box.work(id, { ...box.parts, resultCache })).toBe("completed");
  const unknown = createResultCache({ engines: new Map(), speakers: null });
  const job = { engine: "onnx", model: "m", options: {}, metadata: {} };
  expect(await unknown.keyOf(job, "a".repeat(64))).toBeNull();
  expect(Object.keys(unknown.identities())).toEqual(["speakers"]);
});
