import { rm } from "node:fs/promises";
import { JobError, type PcmAudio } from "@scribe/domain";
import { type DecodedAudio, LEVEL_FRAME_SECONDS, LEVEL_STEPS, separateChannels } from "@scribe/media";
import type { Channel } from "../engines/transcribe-channels.ts";

export type DecodedChannel = DecodedAudio & { path: string };

/** The channels of a call, each somebody's. */
export interface SplitChannels {
  /** Those that hold something of their own. */
  heard: Channel[];
  /** Whether `channel` was much quieter than `other` between two times, in seconds, before leaks were muted. */
  isDrowned: (channel: number, other: number, start: number, end: number) => boolean;
}

type ChannelAudio = PcmAudio & { warnings: string[]; channels?: SplitChannels };

/** A call has a channel a party; recordings with more than these are mixes of microphones. */
const MOST_CHANNELS = 8;
/** So much quieter than the same words in another channel is an echo of them. */
const DROWNED_DB = 6;

/**
 * Decodes each channel by itself, and mutes in each what leaks into it from the others. A recording of one channel, or
 * with the same in all of them, is one recording still, with a warning; so is one that is silent.
 *
 * @throws JobError `unsupported_audio` with more channels than can be split, and what decoding throws
 */
export async function decodeChannels(
  decode: (channel: number) => Promise<DecodedChannel>,
  { signal, alive }: { signal: AbortSignal; alive: () => void },
): Promise<ChannelAudio> {
  const first = await decode(0);
  const whole: ChannelAudio = {
    path: first.path,
    samples: first.samples,
    durationSeconds: first.durationSeconds,
    warnings: [...first.warnings],
  };
  const count = first.channels;
  if (count === 1) return unsplit(whole, "The recording has one channel, so there was nothing to split.");
  if (count > MOST_CHANNELS) {
    throw new JobError(
      "unsupported_audio",
      `The recording has ${count} channels; \`channels: "split"\` takes up to ${MOST_CHANNELS}.`,
    );
  }
  const decoded = [first];
  for (let channel = 1; channel < count; channel++) decoded.push(await decode(channel));
  alive();
  const { levels, silent, copyOf } = await separateChannels(
    decoded.map(({ path }) => path),
    signal,
  );
  const heard: Channel[] = [];
  for (const [index, { path, samples, durationSeconds }] of decoded.entries()) {
    if (!silent[index] && copyOf[index] === null) heard.push({ index, audio: { path, samples, durationSeconds } });
    else if (index > 0) await rm(path);
  }
  const [only] = heard;
  if (heard.length === 1 && copyOf.some((original) => original !== null)) {
    return unsplit(
      { ...whole, ...only!.audio },
      "All channels of the recording hold the same, so they were not split.",
    );
  }
  for (const [index, original] of copyOf.entries()) {
    if (silent[index]) whole.warnings.push(`Channel ${index} of the recording is silent.`);
    if (original !== null) whole.warnings.push(`Channel ${index} of the recording is the same as channel ${original}.`);
  }
  const isDrowned = (channel: number, other: number, start: number, end: number) =>
    meanLevel(levels[other], start, end) - meanLevel(levels[channel], start, end) >= DROWNED_DB * LEVEL_STEPS;
  const parts = heard.length > 0 ? heard : [{ index: 0, audio: whole }];
  return { ...whole, channels: { heard: parts, isDrowned } };
}

function unsplit(audio: ChannelAudio, why: string): ChannelAudio {
  return { ...audio, warnings: [...audio.warnings, why] };
}

function meanLevel(levels: Uint8Array = new Uint8Array(0), start: number, end: number): number {
  const from = Math.max(0, Math.floor(start / LEVEL_FRAME_SECONDS));
  const span = levels.subarray(from, Math.max(from + 1, Math.ceil(end / LEVEL_FRAME_SECONDS)));
  let sum = 0;
  for (const level of span) sum += level;
  return sum / Math.max(1, span.length);
}
