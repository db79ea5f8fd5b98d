import { type Claimed, claimJob, renewLease } from "@scribe/database";
import { JobError, readStoredOptions } from "@scribe/domain";
import type { Span } from "@scribe/telemetry";
import type { Attempt, FittedEngine, WorkerParts } from "./attempt.ts";
import { keepLease } from "./keep-lease.ts";
import { commit } from "./steps/commit.ts";
import { decodeAudio, type HeardAudio } from "./steps/decode-audio.ts";
import { beginDiarization, LEFT_TO_ENGINE, takeSpeakers } from "./steps/diarize.ts";
import { type AttemptOutcome, endAttempt } from "./steps/end-attempt.ts";
import { fetchAudio } from "./steps/fetch-audio.ts";
import { reuseResult } from "./steps/reuse-result.ts";
import { transcribe } from "./steps/transcribe.ts";

/**
 * The way of one job through this worker: claim → fetch → decode → transcribe windows, and
 * beside it tell the speakers apart → commit. A message is only a
 * hint: where the claim gets no row, there is nothing to do. Every write is fenced by the claim's epoch.
 */
export async function processJob(jobId: string, parts: WorkerParts): Promise<AttemptOutcome | "not_claimed"> {
  // Before the claim: a worker whose disk is full must not take jobs that another could do.
  const folder = await parts.workFolder.makeJobFolder(jobId);
  try {
    const attempt = await claim(jobId, folder, parts);
    if (attempt === null) return "not_claimed";
    try {
      const outcome = await tryJob(attempt, parts).catch((error: unknown) =>
        endAttempt(attempt.signal.aborted ? attempt.signal.reason : error, attempt, parts),
      );
      parts.metrics.attempts.inc({ outcome });
      attempt.span.set({ "scribe.outcome": outcome });
      attempt.span.end(outcome === "failed" || outcome === "retry" ? `the attempt ended: ${outcome}` : undefined);
      return outcome;
    } finally {
      attempt.close();
    }
  } finally {
    await parts.workFolder.removeJobFolder(folder);
  }
}

async function tryJob(attempt: Attempt, parts: WorkerParts): Promise<"completed"> {
  const { job, log } = attempt;
  parts.fail("after-claim");
  const engine = await admitted(findEngine(job.engine, parts), job);
  // An upload's hash is known before its bytes are fetched.
  if (await reuseResult(attempt, parts)) return reused(attempt, parts);
  const audio = await listen(engine, attempt, parts);
  if (audio === null) return reused(attempt, parts);
  const heardByEngine = engine.tellsSpeakers && !audio.channels && readStoredOptions(job.options).diarize === true;
  const diarizing = heardByEngine ? LEFT_TO_ENGINE : beginDiarization(audio, attempt, parts);
  try {
    const transcription = await timed("transcribe", attempt, parts, () => transcribe(audio, engine, attempt, parts));
    const { speakers: told } = transcription;
    const speakers = await timed("diarize", attempt, parts, () =>
      told ? takeSpeakers(told, attempt, parts) : diarizing.finish(),
    );
    parts.fail("before-commit");
    await timed("commit", attempt, parts, () => commit(transcription, speakers, audio, attempt, parts));
  } finally {
    diarizing.stop();
  }
  parts.fail("after-commit");
  log.info({ audioSeconds: audio.durationSeconds }, "the job is completed");
  parts.metrics.audioSeconds.inc(audio.durationSeconds);
  return ended(attempt, parts);
}

/** The job has an earlier one's result. */
function reused(attempt: Attempt, parts: WorkerParts): "completed" {
  attempt.log.info("the job is completed with an earlier result");
  return ended(attempt, parts);
}

function ended({ job }: Attempt, parts: WorkerParts): "completed" {
  if (job.webhookUrl !== null || job.batchId !== null) parts.poke("webhooks");
  if (readStoredOptions(job.options).enhance !== undefined) parts.poke("enhancement");
  return "completed";
}

/** The job's audio as samples (none where the engine plays without); null where its hash turned out to be an earlier job's. */
async function listen(engine: FittedEngine, attempt: Attempt, parts: WorkerParts): Promise<HeardAudio | null> {
  const durationSeconds = engine.secondsWithoutAudio?.(attempt.job.metadata) ?? null;
  if (durationSeconds !== null) return { path: "", samples: 0, durationSeconds, warnings: [] };
  const known = attempt.job.audioSha256;
  const source = await timed("fetch", attempt, parts, () => fetchAudio(attempt, parts));
  parts.fail("after-fetch");
  if (known === null && (await reuseResult(attempt, parts))) return null;
  const audio = await timed("decode", attempt, parts, () => decodeAudio(source, attempt, parts));
  parts.fail("after-decode");
  return audio;
}

async function claim(jobId: string, folder: string, parts: WorkerParts): Promise<Attempt | null> {
  const { db, workerId, settings } = parts;
  const { leaseSeconds } = settings;
  const claimedAtMs = performance.now();
  const job = await claimJob(db, jobId, { workerId, leaseSeconds });
  if (job === null) return null;
  const lease = { jobId, epoch: job.leaseEpoch };
  const span = traceAttempt(job, parts);
  const log = parts.log.child({
    jobId,
    tenant: job.tenantId,
    epoch: lease.epoch,
    ...(span.traceId && { trace_id: span.traceId }),
  });
  const place = parts.held.add(lease);
  // The claim made room in the window.
  parts.poke("transcription");
  const keeper = keepLease({
    renew: () => renewLease(db, lease, leaseSeconds),
    leaseSeconds,
    claimedAtMs,
    onOverdue: (operation) => log.error({ operation }, "a step is overdue; its lease is not renewed"),
  });
  parts.notifications.publishEvents(jobId);
  const close = () => {
    keeper.close();
    place.remove();
  };
  return { job, lease, keeper, signal: AbortSignal.any([keeper.signal, place.signal]), folder, log, span, close };
}

/** Goes on where the request that made the job stands; the first attempt also shows how long the job waited. */
function traceAttempt(job: Claimed, { tracer, workerId }: WorkerParts): Span {
  const parent = job.traceparent;
  const attributes = { "scribe.job": job.id, "scribe.tenant": job.tenantId };
  if (tracer.enabled && job.leaseEpoch === 1) {
    tracer.start("wait in the queue", { parent, startedAt: job.createdAt, attributes }).end();
  }
  return tracer.start("attempt", {
    kind: "consumer",
    parent,
    attributes: { ...attributes, "scribe.model": job.model, "scribe.epoch": job.leaseEpoch, "scribe.worker": workerId },
  });
}

/** The engine with the key of this job's provider, before anything is fetched for it. */
async function admitted(fitted: FittedEngine, job: Claimed): Promise<FittedEngine> {
  if (!fitted.accessFor) return fitted;
  const [access, { engine }] = [await fitted.accessFor(job), fitted];
  return {
    ...fitted,
    engine: { ...engine, transcribe: (request, signal) => engine.transcribe({ ...request, access }, signal) },
  };
}

function findEngine(name: string, { engines }: WorkerParts): FittedEngine {
  const engine = engines.get(name);
  if (engine) return engine;
  throw new JobError("model_unavailable", `No worker here runs the engine "${name}".`);
}

async function timed<T>(
  step: string,
  { span: parent }: Attempt,
  { metrics, tracer }: WorkerParts,
  work: () => Promise<T>,
): Promise<T> {
  const end = metrics.stepSeconds.startTimer({ step });
  const span = tracer.start(step, { parent: parent.traceparent });
  try {
    const result = await work();
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  } finally {
    end();
  }
}
