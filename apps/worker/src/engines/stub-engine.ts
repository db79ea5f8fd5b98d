import { buffer } from "node:stream/consumers";
import { type Database, tenantJobs } from "@scribe/database";
import { type EngineEvent, type EngineRequest, JobError } from "@scribe/domain";
import type { BlobStore } from "@scribe/storage";
import type { FittedEngine } from "../attempt.ts";

/** A line of the text; what it lasts is made up. */
const LINE_SECONDS = 1;
/** Far more than anybody rehearses with. */
const MAX_BYTES = 1024 * 1024;
const READ_LIMIT_MS = 60_000;
const FINGERPRINT = "stub 1";

/** For rehearsals: an uploaded text is its own transcript, a segment a line. Nothing is decoded. */
export function openStubEngine({ db, storage }: { db: Database; storage: BlobStore }): FittedEngine {
  async function readText({ jobId, tenant = "" }: EngineRequest, signal: AbortSignal): Promise<string> {
    const job = await tenantJobs(db, tenant).get(jobId);
    if (job?.audioKey == null) throw new JobError("audio_expired", "The upload is no longer stored; submit it again.");
    if ((job.audioBytes ?? 0) > MAX_BYTES) throw new JobError("audio_too_large", "The text is too long.");
    return (await buffer(await storage.get(job.audioKey, { signal }))).toString("utf8");
  }

  async function* transcribe(request: EngineRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    if (request.resume) yield { type: "restart" };
    yield { type: "operation", operation: "read", deadlineMs: READ_LIMIT_MS };
    const text = await readText(request, AbortSignal.any([signal, AbortSignal.timeout(READ_LIMIT_MS)]));
    const lines = text
      .replace(/^\ufeff/, "")
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== "");
    const language = request.options.language === "auto" ? null : (request.options.language ?? null);
    const totalSeconds = Math.max(1, lines.length) * LINE_SECONDS;
    yield {
      type: "window",
      segments: lines.map((line, at) => ({
        ...{ start: at * LINE_SECONDS, end: (at + 1) * LINE_SECONDS, text: line },
        ...{ avg_logprob: 0, no_speech_prob: 0, compression_ratio: 1, temperature: 0 },
      })),
      processedSeconds: totalSeconds,
      totalSeconds,
      checkpoint: { fingerprint: FINGERPRINT, processedSeconds: totalSeconds, state: null },
    };
    yield { type: "done", language, languageProbability: null };
  }

  return {
    engine: {
      name: "stub",
      loadedModels: () => [],
      identityOf: async () => FINGERPRINT,
      transcribe,
      close: async () => {},
    },
    secondsWithoutAudio: () => LINE_SECONDS,
  };
}
