import { JobError } from "@scribe/domain";
import { type BlobStore, StorageError } from "@scribe/storage";
import { type ReceivedFile, receiveFile, StreamIdle } from "./receive-file.ts";

export interface StoredAudio {
  key: string;
  sha256: string | null;
  bytes: number | null;
}

/**
 * Copies the job's stored audio to a file, and holds it against what was written down when it was stored. What was not
 * written down then (bytes that a client sent past us) is found out here.
 *
 * @throws JobError `audio_expired` where it is gone; `internal`, to be tried again, where it did not come whole
 */
export async function readStoredAudio(
  audio: StoredAudio,
  path: string,
  { storage, idleMs, onBytes }: { storage: BlobStore; idleMs: number; onBytes?: (bytes: number) => void },
  signal: AbortSignal,
): Promise<ReceivedFile> {
  try {
    const body = await storage.get(audio.key, { signal });
    const received = await receiveFile(body, path, { signal, idleMs, ...(onBytes && { onBytes }) });
    const whole = audio.bytes === null || received.bytes === audio.bytes;
    const same = audio.sha256 === null || received.sha256 === audio.sha256;
    if (!whole || !same) throw new JobError("internal", "The stored audio could not be read whole.");
    return received;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof StorageError && error.code === "not_found") {
      throw new JobError("audio_expired", "The audio is no longer stored; submit it again.", { cause: error });
    }
    if (error instanceof StreamIdle || error instanceof StorageError) {
      throw new JobError("internal", "The storage of the audio did not answer.", { cause: error });
    }
    throw error;
  }
}
