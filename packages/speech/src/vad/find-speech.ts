import { WINDOW_SAMPLES } from "./silero-graph.ts";

/** A stretch of the file, in samples. */
export type Span = { start: number; end: number };

export type SpeechSettings = {
  /** Speech begins where its probability reaches this, and ends where it stays `HYSTERESIS` below. */
  threshold: number;
};

const HYSTERESIS = 0.15;
/** A dip this short does not end speech, and speech this short is none: a click, a breath. */
const SHORTEST_SILENCE = 1600;
const SHORTEST_SPEECH = 1600;

/** Where speech is, by its probability in each window; `from` and `to` are the samples that the windows cover. */
export function findSpeech(probabilities: Float32Array, from: number, to: number, settings: SpeechSettings): Span[] {
  const low = Math.max(settings.threshold - HYSTERESIS, 0.01);
  const spans: Span[] = [];
  let start: number | undefined;
  let quietSince: number | undefined;
  const end = (at: number) => {
    if (start !== undefined && at - start >= SHORTEST_SPEECH) spans.push({ start, end: at });
    start = undefined;
    quietSince = undefined;
  };
  for (let i = 0; i < probabilities.length; i++) {
    const at = from + i * WINDOW_SAMPLES;
    if (probabilities[i] >= settings.threshold) {
      start ??= at;
      quietSince = undefined;
    } else if (start !== undefined && probabilities[i] < low) {
      quietSince ??= at;
      if (at + WINDOW_SAMPLES - quietSince >= SHORTEST_SILENCE) end(quietSince);
    }
  }
  end(quietSince ?? to);
  return spans;
}

/** So little speech with silence all around is a click or a cry: Silero's own rule for the shortest speech, 250 ms. */
const SHORTEST_ALONE = 4000;

/** Speech without what is too short to be any, and farther from all other than `silenceSamples`. */
export function dropLoneClicks(spans: readonly Span[], silenceSamples: number): Span[] {
  const kept: Span[] = [];
  for (let i = 0; i < spans.length; ) {
    let last = i;
    while (last + 1 < spans.length && spans[last + 1].start - spans[last].end <= silenceSamples) last++;
    const group = spans.slice(i, last + 1);
    if (speechBetween(group, group[0].start, spans[last].end) >= SHORTEST_ALONE) kept.push(...group);
    i = last + 1;
  }
  return kept;
}

/** Samples of speech between `start` and `end`. */
export function speechBetween(spans: readonly Span[], start: number, end: number): number {
  let sum = 0;
  for (const span of spans) sum += Math.max(0, Math.min(span.end, end) - Math.max(span.start, start));
  return sum;
}
