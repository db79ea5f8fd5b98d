import { createReadStream } from "node:fs";
import { join } from "node:path";
import { recordAudio, recordPhase } from "@scribe/database";
import { JobError, PHASE_PROGRESS } from "@scribe/domain";
import { StorageError } from "@scribe/storage";
import { type Attempt, showProgress, type WorkerParts } from "../attempt.ts";
import { asked, held, WorkStopped } from "../work-stopped.ts";
import { downloadAudio } from "./download-audio.ts";
import { readStoredAudio } from "./read-stored-audio.ts";
import type { ReceivedFile } from "./receive-file.ts";

/** Time that the storage may take for one object, beyond the pace of its bytes. */
const STORE_LIMIT_MS = 600_000;

/**
 * Brings the job's audio to a file in its folder. What a URL gives is stored and hashed once; every later attempt, and
 * every upload, reads that.
 *
 * @returns path of the file
 */
export async function fetchAudio(attempt: Attempt, parts: WorkerParts): Promise<string> {
  const { job, keeper, signal, folder } = attempt;
  const { settings, storage } = parts;
  const path = join(folder, "source");
  showProgress(parts, job.id, "fetching", PHASE_PROGRESS.queued);
  const alive = () => keeper.announce("fetch", 2 * settings.idleTimeoutMs + 10_000);
  alive();

  if (job.audioKey !== null) {
    const stored = { key: job.audioKey, sha256: job.audioSha256, bytes: job.audioBytes };
    const read = await readStoredAudio(
      stored,
      path,
      { storage, idleMs: settings.idleTimeoutMs, onBytes: alive },
      signal,
    );
    if (job.audioSha256 === null) {
      const { sha256, bytes } = read;
      await held(recordAudio(parts.db, attempt.lease, { key: job.audioKey, sha256, bytes }));
      job.audioSha256 = sha256;
    }
    return path;
  }
  if (job.source.kind !== "url")
    throw new JobError("audio_expired", "The upload is no longer stored; submit it again.");

  await held(recordPhase(parts.db, attempt.lease, "fetching", PHASE_PROGRESS.queued));
  const received = await downloadAudio(job.source.url, path, parts, signal, alive);
  await storeAudio(path, received, attempt, parts);
  return path;
}

async function storeAudio(path: string, received: ReceivedFile, attempt: Attempt, parts: WorkerParts): Promise<void> {
  const { job, lease, keeper, signal } = attempt;
  // With the epoch in it: what an attempt that lost its lease writes late overwrites nobody's.
  const key = `audio/${job.tenantId}/${job.id}/source-${lease.epoch}`;
  keeper.announce("store", STORE_LIMIT_MS);
  const limit = AbortSignal.timeout(STORE_LIMIT_MS);
  try {
    await parts.storage.put(key, createReadStream(path), { signal: AbortSignal.any([signal, limit]) });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (limit.aborted || error instanceof StorageError) {
      throw new JobError("internal", "The audio could not be stored.", { cause: error });
    }
    throw error;
  }
  const { sha256, bytes } = received;
  if (await asked(recordAudio(parts.db, lease, { key, sha256, bytes }))) {
    job.audioSha256 = sha256;
    return;
  }
  // Nobody will ever ask for it: the retention finds strays.
  throw new WorkStopped("lost");
}
