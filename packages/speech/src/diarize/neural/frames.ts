/** Windows of 10 s at 16 kHz; the network's frames see 991 samples, every 270. */
export const WINDOW_SAMPLES = 160_000;
export const WINDOW_FRAMES = 589;
export const LOCAL_SPEAKERS = 3;
const RATE = 16_000;
const FRAME_STEP = 270;
const FRAME_SPAN = 991;

/** The middle of what a frame sees. */
export const frameMiddle = (frame: number): number => (frame * FRAME_STEP + FRAME_SPAN / 2) / RATE;

/** First samples of the windows over a recording: every `stepSamples`, the last one reaching or passing the end. */
export function windowStarts(sampleCount: number, stepSamples: number): number[] {
  if (sampleCount <= 0) return [];
  const beyondFirst = Math.max(0, Math.ceil((sampleCount - WINDOW_SAMPLES) / stepSamples));
  return Array.from({ length: beyondFirst + 1 }, (_, i) => i * stepSamples);
}

/** The file's frame that is nearest to the beginning of a window. */
export const firstFrameOf = (windowStart: number): number => Math.round(windowStart / FRAME_STEP);

/** Frames of a recording with windows that begin at `starts`. */
export const frameTotal = (starts: readonly number[]): number =>
  starts.length === 0 ? 0 : firstFrameOf(starts.at(-1)!) + WINDOW_FRAMES;
