import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { recordDecoded, recordPhase } from "@scribe/database";
import { JobError, type PcmAudio, PHASE_PROGRESS, readStoredOptions } from "@scribe/domain";
import { decodeToPcm } from "@scribe/media";
import { type Attempt, showProgress, type WorkerParts } from "../attempt.ts";
import { held } from "../work-stopped.ts";
import { type DecodedChannel, decodeChannels, type SplitChannels } from "./decode-channels.ts";

/** How long the decoder may be silent. A whole day decodes in minutes, but says how far it is ten times a second. */
const SILENT_LIMIT_MS = 90_000;

/** A job's audio: one stream of samples, or a stream a speaker. */
export interface HeardAudio extends PcmAudio {
  warnings: string[];
  /** Where the channels are heard one by one; `path` is then the first of them. */
  channels?: SplitChannels;
}

/**
 * Turns the fetched file into 16 kHz mono samples in the job's folder, and removes the file. With `channels: "split"`
 * each channel becomes a file.
 *
 * @throws JobError `unsupported_audio`, `no_audio_stream`, `audio_too_long`, `timeout`
 */
export async function decodeAudio(source: string, attempt: Attempt, parts: WorkerParts): Promise<HeardAudio> {
  const { job, lease, keeper, signal, folder } = attempt;
  const { settings, programs } = parts;
  const { size } = await stat(source);
  if (size === 0) throw new JobError("unsupported_audio", "The file is empty.");

  await held(recordPhase(parts.db, lease, "decoding", PHASE_PROGRESS.fetching));
  showProgress(parts, job.id, "decoding", PHASE_PROGRESS.fetching);
  const alive = () => keeper.announce("decode", SILENT_LIMIT_MS);
  const decode = async (channel: number | "mix"): Promise<DecodedChannel> => {
    alive();
    const path = join(folder, `audio-${channel}.pcm`);
    const decoded = await decodeToPcm(source, path, {
      programs,
      signal,
      channel,
      timeoutMs: settings.timeLimitMs(job.audioSeconds),
      temporaryFolder: folder,
      memoryBytes: settings.decoderMemoryBytes,
      maxSeconds: settings.maxAudioSeconds,
      onProgress: alive,
    });
    if (decoded.samples > 0) return { path, ...decoded };
    throw new JobError("unsupported_audio", "The file's audio stream holds no sound at all.");
  };
  const split = readStoredOptions(job.options).channels === "split";
  const audio = split ? await decodeChannels(decode, { signal, alive }) : toAudio(await decode("mix"));
  await rm(source);

  const { durationSeconds, warnings } = audio;
  await held(recordDecoded(parts.db, lease, { durationSeconds, warnings }));
  return audio;
}

function toAudio({ path, samples, durationSeconds, warnings }: DecodedChannel): HeardAudio {
  return { path, samples, durationSeconds, warnings: [...warnings] };
}
