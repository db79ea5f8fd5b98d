import { type Claimed, claimJob, completeJob, type Database, recordDecoded, recordWindow } from "@scribe/database";
import { cacheKeyOf, type Segment } from "@scribe/domain";

/** What a worker does, without one: the steps that a job goes through, written by the doors that workers use. */
export async function claim(db: Database, jobId: string): Promise<Claimed> {
  const job = await claimJob(db, jobId, { workerId: "test", leaseSeconds: 60 });
  if (!job) throw new Error("The job could not be claimed.");
  await recordDecoded(db, { jobId, epoch: job.leaseEpoch }, { durationSeconds: 8, warnings: [] });
  return job;
}

export function segment(id: number, text: string, more: Partial<Segment> = {}): Segment {
  return {
    ...{ id, start: id * 2, end: id * 2 + 1.5, text },
    ...{ avg_logprob: -0.3, no_speech_prob: 0.01, compression_ratio: 1.2, temperature: 0 },
    ...more,
  };
}

export async function writeSegments(db: Database, job: Claimed, segments: Segment[], progress = 50): Promise<void> {
  const checkpoint = { fingerprint: "test", processedSeconds: 1, state: null };
  const lease = { jobId: job.id, epoch: job.leaseEpoch };
  if (!(await recordWindow(db, lease, { segments, progress, checkpoint }))) throw new Error("The lease is lost.");
}

export async function complete(db: Database, job: Claimed, text: string): Promise<void> {
  const outcome = { text, language: "en", languageProbability: 0.9, duration: 8, warnings: [] };
  if (!(await completeJob(db, { jobId: job.id, epoch: job.leaseEpoch }, outcome)))
    throw new Error("The lease is lost.");
}

/** From waiting to completed, with these segments. */
export async function finish(db: Database, jobId: string, segments: Segment[]): Promise<void> {
  const job = await claim(db, jobId);
  if (segments.length > 0) await writeSegments(db, job, segments);
  await complete(db, job, segments.map(({ text }) => text.trim()).join(" "));
}

/** What a worker that lives says it runs; see `cacheKeyOf`. */
export const IDENTITIES = { "onnx whisper-nano.en": "hash-of-the-model", speakers: "settings" };

/** From waiting to completed with "one two", as a result that may answer equal jobs. */
export async function finishForCache(db: Database, jobId: string): Promise<void> {
  const job = await claim(db, jobId);
  await writeSegments(db, job, [segment(0, " one"), segment(1, " two")]);
  const cacheKey = cacheKeyOf({ ...job, options: job.options as object }, job.audioSha256, IDENTITIES);
  if (cacheKey === null) throw new Error("The job has no key.");
  const outcome = { text: "one two", language: "en", languageProbability: 0.9, duration: 8, warnings: [], cacheKey };
  if (!(await completeJob(db, { jobId, epoch: job.leaseEpoch }, outcome))) throw new Error("The lease is lost.");
}
