import { type FileHandle, open, rm } from "node:fs/promises";
import { JobError } from "@scribe/domain";
import { INPUT_WALLS, MOST_CHANNELS, SAMPLE_RATES } from "./allowed-formats.ts";
import { CAGED_INPUT, type CagedRun, type CageOptions, runCaged } from "./cage.ts";
import { complainsOfDamage, explainFailure } from "./explain-failure.ts";
import { isCutShort } from "./is-cut-short.ts";
import { type AudioStream, type ProbedMedia, probeMedia } from "./probe-media.ts";

export interface DecodeOptions extends CageOptions {
  /** Longer audio ends the decoding with `audio_too_long`. With a clip, this bounds the clip. */
  readonly maxSeconds: number;
  /** Decode this part only, in seconds. `end` may lie beyond the audio's. */
  readonly clip?: { readonly start: number; readonly end?: number };
  /** One channel by its index, or all of them mixed (default). */
  readonly channel?: number | "mix";
  /** Seconds decoded so far, at most ten times a second. */
  readonly onProgress?: (seconds: number) => void;
}

export interface DecodedAudio {
  readonly samples: number;
  readonly durationSeconds: number;
  /** Channels of the source. */
  readonly channels: number;
  /** Written for the user: what is wrong with the file although there is a result. */
  readonly warnings: readonly string[];
}

export const PCM_SAMPLE_RATE = 16_000;
const BYTES_PER_SECOND = PCM_SAMPLE_RATE * 2;
const PROGRESS_EVERY_MS = 100;

/**
 * Decodes the first audio stream of the file at `path` to 16 kHz mono signed 16-bit little-endian PCM in a new file at
 * `outPath`. Offsets in the PCM are offsets in the file's own timeline: audio that begins later than the picture, or
 * has gaps, is filled with silence. Throws `unsupported_audio`, `no_audio_stream`, `audio_too_long`, `timeout`, or the
 * signal's reason, and then leaves no `outPath`. What can be decoded of a damaged file is a result with a warning.
 */
export async function decodeToPcm(path: string, outPath: string, options: DecodeOptions): Promise<DecodedAudio> {
  const probed = await probeMedia(path, { ...options, timeoutMs: Math.min(options.timeoutMs ?? 60_000, 60_000) });
  const stream = firstAudioStream(probed);
  const filters = buildFilters(stream, probed.leadSeconds, options.channel ?? "mix");
  const { bytes, run } = await decodeInto(path, outPath, ffmpegArguments(filters, options), options);
  const samples = Math.floor(bytes / 2);
  if (samples === 0) {
    await rm(outPath, { force: true });
    throw whyNothing(run, options);
  }
  const durationSeconds = samples / PCM_SAMPLE_RATE;
  const warnings = await warningsOf(path, probed, stream, run, durationSeconds, options);
  return { samples, durationSeconds, channels: stream.channels, warnings };
}

function firstAudioStream({ audioStreams: [stream], hasVideo }: ProbedMedia): AudioStream {
  if (!stream) {
    throw new JobError(
      "no_audio_stream",
      hasVideo ? "The file holds a picture but no sound." : "The file holds no audio.",
    );
  }
  const { sampleRate, channels } = stream;
  if (sampleRate < SAMPLE_RATES.lowest || sampleRate > SAMPLE_RATES.highest) {
    throw new JobError("unsupported_audio", `The audio claims ${sampleRate} samples a second, which cannot be read.`);
  }
  if (channels < 1 || channels > MOST_CHANNELS) {
    throw new JobError("unsupported_audio", `The audio claims ${channels} channels, which cannot be read.`);
  }
  return stream;
}

function buildFilters({ channels, channelLayout }: AudioStream, leadSeconds: number, channel: number | "mix"): string {
  if (channel !== "mix" && (channel < 0 || channel >= channels)) {
    throw new JobError("unsupported_audio", `The audio has ${channels} channels; there is no channel ${channel}.`);
  }
  return [selectChannel(), `asetpts=PTS+${leadSeconds}/TB`, "aresample=16000:async=1:first_pts=0"].join(",");

  function selectChannel(): string {
    if (channel !== "mix") return `pan=mono|c0=c${channel}`;
    // ffmpeg knows how loud each speaker of a known layout counts; of others every channel counts the same.
    if (channels <= 2 || (channelLayout !== undefined && channels <= 8)) return "aformat=channel_layouts=mono";
    return `pan=mono|c0<${Array.from({ length: channels }, (_, index) => `c${index}`).join("+")}`;
  }
}

function ffmpegArguments(filters: string, { clip }: DecodeOptions): string[] {
  const cut = clip ? ["-ss", String(clip.start), ...(clip.end === undefined ? [] : ["-to", String(clip.end)])] : [];
  const read = ["-hide_banner", "-nostdin", "-v", "error", "-threads", "1", ...INPUT_WALLS, "-i", CAGED_INPUT];
  const select = ["-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1", "-af", filters];
  const write = ["-ac", "1", "-ar", String(PCM_SAMPLE_RATE), "-c:a", "pcm_s16le", "-f", "s16le", "pipe:1"];
  // The clip is cut from what was decoded: seeking in the file is not exact in every container.
  return [...read, ...select, ...cut, ...write];
}

async function decodeInto(path: string, outPath: string, args: string[], options: DecodeOptions) {
  const { maxSeconds, onProgress } = options;
  const maxBytes = Math.floor(maxSeconds * BYTES_PER_SECOND);
  const out = await open(outPath, "w", 0o640);
  let bytes = 0;
  let toldAt = 0;
  try {
    const run = await runCaged("ffmpeg", path, args, options, async (chunk) => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new JobError("audio_too_long", `The audio is longer than the ${maxSeconds} s that are allowed.`);
      }
      await writeAll(out, chunk);
      if (onProgress && performance.now() - toldAt >= PROGRESS_EVERY_MS) {
        toldAt = performance.now();
        onProgress(bytes / BYTES_PER_SECOND);
      }
    });
    if (run.killedBy !== null) throw explainFailure(run);
    await out.close();
    return { bytes, run };
  } catch (error) {
    await out.close();
    await rm(outPath, { force: true });
    throw error;
  }
}

async function writeAll(out: FileHandle, chunk: Buffer): Promise<void> {
  try {
    for (let offset = 0; offset < chunk.length; ) offset += (await out.write(chunk, offset)).bytesWritten;
  } catch (cause) {
    throw new JobError("internal", "The decoded audio could not be written.", { cause });
  }
}

function whyNothing(run: CagedRun, { clip }: DecodeOptions): JobError {
  if (run.exitCode !== 0) return explainFailure(run);
  if (clip && clip.start > 0) {
    return new JobError("unsupported_audio", `The audio has nothing from ${clip.start} s on.`);
  }
  return new JobError("unsupported_audio", "The file holds audio without a single sample.");
}

async function warningsOf(
  path: string,
  probed: ProbedMedia,
  stream: AudioStream,
  run: CagedRun,
  durationSeconds: number,
  options: DecodeOptions,
): Promise<string[]> {
  if (!options.clip) {
    // Without a duration of its own the stream may rightly be shorter than the picture beside it.
    const declared = stream.durationSeconds ?? (probed.hasVideo ? undefined : probed.durationSeconds);
    const missing = declared === undefined ? 0 : declared - durationSeconds;
    if (declared !== undefined && missing > Math.max(0.5, declared * 0.02)) {
      const [says, ends] = [declared.toFixed(1), durationSeconds.toFixed(1)];
      return [`The file says that it lasts ${says} s, but its audio ends after ${ends} s: it is probably cut short.`];
    }
    if (await isCutShort(path)) return ["The file ends before its audio does: it is probably cut short."];
  }
  if (run.exitCode !== 0 || complainsOfDamage(run.stderr)) {
    return ["Parts of the file are damaged and could not be decoded."];
  }
  return [];
}
