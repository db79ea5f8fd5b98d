import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { recordDecoded, recordPhase } from "@scribe/database";
import { JobError, type PcmAudio, PHASE_PROGRESS } from "@scribe/domain";
import { decodeToPcm } from "@scribe/media";
import { type Attempt, showProgress, type WorkerParts } from "../attempt.ts";
import { held } from "../work-stopped.ts";

/** How long the decoder may be silent. A whole day decodes in minutes, but says how far it is ten times a second. */
const SILENT_LIMIT_MS = 90_000;

/**
 * Turns the fetched file into 16 kHz mono samples in the job's folder, and removes the file.
 *
 * @throws JobError `unsupported_audio`, `no_audio_stream`, `audio_too_long`, `timeout`
 */
export async function decodeAudio(
  source: string,
  attempt: Attempt,
  parts: WorkerParts,
): Promise<PcmAudio & { warnings: string[] }> {
  const { job, lease, keeper, signal, folder } = attempt;
  const { settings, programs } = parts;
  const { size } = await stat(source);
  if (size === 0) throw new JobError("unsupported_audio", "The file is empty.");

  await held(recordPhase(parts.db, lease, "decoding", PHASE_PROGRESS.fetching));
  showProgress(parts, job.id, "decoding", PHASE_PROGRESS.fetching);
  const alive = () => keeper.announce("decode", SILENT_LIMIT_MS);
  alive();
  const path = join(folder, "audio.pcm");
  const decoded = await decodeToPcm(source, path, {
    programs,
    signal,
    timeoutMs: settings.timeLimitMs(job.audioSeconds),
    temporaryFolder: folder,
    maxSeconds: settings.maxAudioSeconds,
    onProgress: alive,
  });
  if (decoded.samples === 0) throw new JobError("unsupported_audio", "The file's audio stream holds no sound at all.");
  await rm(source);

  const { samples, durationSeconds } = decoded;
  const warnings = [...decoded.warnings];
  await held(recordDecoded(parts.db, lease, { durationSeconds, warnings }));
  return { path, samples, durationSeconds, warnings };
}
