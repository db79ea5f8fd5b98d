import { open } from "node:fs/promises";

/** Levels are told for each 20 ms: 320 samples at 16 kHz. */
export const LEVEL_FRAME_SAMPLES = 320;
export const LEVEL_FRAME_SECONDS = LEVEL_FRAME_SAMPLES / 16_000;
/** Steps of a level in one decibel. */
export const LEVEL_STEPS = 2;
const QUIETEST_DB = -127.5;

/** Ten seconds at once. */
const BLOCK_SAMPLES = 500 * LEVEL_FRAME_SAMPLES;
/** How alike channels are shows in every fourth sample as well. */
const STRIDE = 4;
/** One recording on two tracks: a difference 15 dB below it may come of tapes and codecs. Talk that leaks is far below. */
const ALIKE = 0.97;
/** The same so much quieter, in power, is no second track but a leak: 12 dB. */
const LEAST_COPY = 10 ** -1.2;
/** Quieter than this, in dB below full scale, is nothing. */
const SILENCE_DB = -60;
/** So many louder frames are clicks. */
const CLICKS = 5;

export interface MeasuredChannels {
  /** `[channel][frame]`: root mean square of each 20 ms in half decibels above −127.5 dB of full scale. */
  readonly levels: readonly Uint8Array[];
  /** The earlier channel that this one is a copy of, louder, quieter or turned over. */
  readonly copyOf: readonly (number | null)[];
  readonly silent: readonly boolean[];
}

/** The level in dB of full scale, as `levels` holds it. */
export const toLevel = (db: number): number => Math.max(0, Math.min(255, Math.round(LEVEL_STEPS * (db - QUIETEST_DB))));

/**
 * Listens through files of 16 kHz mono signed 16-bit PCM, the channels of one recording: how loud each is when, and
 * which are the same. In memory: a byte for each 20 ms of each channel. Throws the signal's reason.
 */
export async function measureChannels(paths: readonly string[], signal: AbortSignal): Promise<MeasuredChannels> {
  const files = await Promise.all(paths.map((path) => open(path, "r")));
  try {
    const sizes = await Promise.all(files.map(async (file) => (await file.stat()).size));
    const samples = Math.floor(Math.max(...sizes) / 2);
    const levels = paths.map(() => new Uint8Array(Math.ceil(samples / LEVEL_FRAME_SAMPLES)));
    const products = paths.map(() => new Float64Array(paths.length));
    const blocks = paths.map(() => new Int16Array(BLOCK_SAMPLES));
    for (let from = 0; from < samples; from += BLOCK_SAMPLES) {
      signal.throwIfAborted();
      await Promise.all(
        files.map(async (file, channel) => {
          const bytes = new Uint8Array(blocks[channel]!.buffer);
          const { bytesRead } = await file.read(bytes, 0, bytes.length, from * 2);
          bytes.fill(0, bytesRead);
        }),
      );
      blocks.forEach((block, channel) => {
        writeLevels(block, levels[channel]!, from / LEVEL_FRAME_SAMPLES);
        addProducts(blocks, channel, products[channel]!);
      });
    }
    const silent = levels.map((level) => countAbove(level, toLevel(SILENCE_DB)) < CLICKS);
    return { levels, silent, copyOf: findCopies(products, silent) };
  } finally {
    await Promise.all(files.map((file) => file.close()));
  }
}

function writeLevels(block: Int16Array, levels: Uint8Array, firstFrame: number): void {
  const frames = Math.min(block.length / LEVEL_FRAME_SAMPLES, levels.length - firstFrame);
  for (let frame = 0; frame < frames; frame++) {
    let power = 0;
    const first = frame * LEVEL_FRAME_SAMPLES;
    for (let i = first; i < first + LEVEL_FRAME_SAMPLES; i++) power += block[i]! * block[i]!;
    levels[firstFrame + frame] = toLevel(10 * Math.log10(power / LEVEL_FRAME_SAMPLES / 32_768 ** 2 + 1e-15));
  }
}

/** Adds the products of this channel's samples with those of itself and the channels before it. */
function addProducts(blocks: readonly Int16Array[], channel: number, products: Float64Array): void {
  const own = blocks[channel]!;
  for (let other = 0; other <= channel; other++) {
    const theirs = blocks[other]!;
    let sum = 0;
    for (let i = 0; i < own.length; i += STRIDE) sum += own[i]! * theirs[i]!;
    products[other]! += sum;
  }
}

function findCopies(products: readonly Float64Array[], silent: readonly boolean[]): (number | null)[] {
  return products.map((own, channel) => {
    for (let other = 0; other < channel; other++) {
      if (silent[channel] || silent[other]) continue;
      const [power, otherPower] = [own[channel]!, products[other]![other]!];
      if (Math.min(power, otherPower) < LEAST_COPY * Math.max(power, otherPower)) continue;
      if (Math.abs(own[other]!) >= ALIKE * Math.sqrt(power * otherPower)) return other;
    }
    return null;
  });
}

function countAbove(levels: Uint8Array, least: number): number {
  let count = 0;
  for (const level of levels) if (level >= least) count++;
  return count;
}
