import type { Span } from "./find-speech.ts";
import { WINDOW_SAMPLES } from "./silero-graph.ts";

export type WindowSettings = {
  /** The longest window. */
  maximumSamples: number;
  /** A longer silence ends a window, and is not heard. */
  silenceSamples: number;
  /** Heard before and behind speech, for it begins softly. */
  paddingSamples: number;
  /** Windows begin and end at multiples of this. */
  gridSamples: number;
};

/**
 * Below this a pause is a pause: the later of two makes the longer window, and each window costs the encoder thirty seconds
 * however short it is.
 */
const CLEAR_PAUSE = 0.1;

/** The probability at a place is the mean over this many windows before and behind it: a pause, not a consonant. */
const PAUSE_WINDOWS = 4;

/**
 * Packs speech into windows of continuous audio: all speech lies within one, none is longer than the maximum, they neither overlap
 * nor fall. What is longer is cut in the second half of a window, where speech is least probable.
 */
export function planWindows(
  spans: readonly Span[],
  probabilities: Float32Array,
  from: number,
  to: number,
  settings: WindowSettings,
): Span[] {
  const { maximumSamples, silenceSamples, paddingSamples, gridSamples } = settings;
  const down = (sample: number) => Math.max(from, from + Math.floor((sample - from) / gridSamples) * gridSamples);
  const up = (sample: number) => Math.min(to, from + Math.ceil((sample - from) / gridSamples) * gridSamples);

  const windows: Span[] = [];
  for (let i = 0; i < spans.length; ) {
    let last = i;
    while (last + 1 < spans.length && spans[last + 1].start - spans[last].end <= silenceSamples) last++;
    const earliest = windows.at(-1)?.end ?? from;
    const next = spans.at(last + 1)?.start ?? to;
    let start = Math.max(earliest, down(spans[i].start - paddingSamples));
    // Two windows share a pause that is too short for the padding of both.
    const end = Math.max(
      up(spans[last].end),
      Math.min(up(spans[last].end + paddingSamples), down((spans[last].end + next) / 2)),
    );
    while (end - start > maximumSamples) {
      const latest = start + maximumSamples;
      const cut = down(quietest(probabilities, from, start + maximumSamples / 2, latest));
      windows.push({ start, end: cut });
      start = cut;
    }
    windows.push({ start, end: next === to ? Math.min(end, to) : end });
    i = last + 1;
  }
  return windows;
}

/** The sample between `earliest` and `latest` about which speech is least probable; the latest of clear pauses. */
function quietest(probabilities: Float32Array, from: number, earliest: number, latest: number): number {
  const first = Math.max(1, Math.ceil((earliest - from) / WINDOW_SAMPLES));
  const last = Math.min(probabilities.length - 1, Math.floor((latest - from) / WINDOW_SAMPLES));
  let best = last;
  let least = Number.POSITIVE_INFINITY;
  for (let i = first; i <= last; i++) {
    let sum = 0;
    const [begin, end] = [Math.max(0, i - PAUSE_WINDOWS), Math.min(probabilities.length, i + PAUSE_WINDOWS)];
    for (let k = begin; k < end; k++) sum += probabilities[k];
    const mean = Math.max(CLEAR_PAUSE, sum / (end - begin));
    if (mean <= least) {
      least = mean;
      best = i;
    }
  }
  return from + best * WINDOW_SAMPLES;
}
