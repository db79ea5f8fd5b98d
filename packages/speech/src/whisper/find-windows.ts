import type { PcmFile } from "../audio/pcm-file.ts";
import type { ModelFolder } from "../model/read-model-folder.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import { dropLoneClicks, findSpeech, type Span } from "../vad/find-speech.ts";
import { planWindows } from "../vad/plan-windows.ts";
import { WINDOW_SAMPLES } from "../vad/silero-graph.ts";

/** A stretch of the file in feature frames. */
export type Window = { start: number; end: number };

/** A window, and where in the file speech is in and near it, in samples. */
export type SpeechWindow = Window & { spans: readonly Span[] };

/** How probable speech is in each window of 512 samples between two samples of the file, in blocks one behind the other. */
export type SpeechProbabilities = (from: number, to: number, signal: AbortSignal) => AsyncIterable<Float32Array>;

type Request = {
  model: ModelFolder;
  pcm: PcmFile;
  options: ParsedSpeechOptions;
  speechProbabilities: SpeechProbabilities;
};

/** Windows are looked for when so much of the file is known, and again whenever half as much again is. */
const FIRST_LOOK_SECONDS = 60;
const NEXT_LOOK = 1.5;
/** Speech so near to a window is told with it: what is said in a window may be misplaced by about a second. */
const NEAR_SECONDS = 5;

/**
 * Windows of speech in feature frames, in order, as soon as nothing that follows can change them. Without detection all is
 * speech, and only cut.
 */
export async function* findWindows(
  { model, options, pcm, speechProbabilities }: Request,
  plan: { startFrame: number; endFrame: number },
  signal: AbortSignal,
): AsyncGenerator<SpeechWindow, void, undefined> {
  const { hopSize, sampleRate } = model.features;
  const from = plan.startFrame * hopSize;
  // Samples behind the last whole frame belong to the file's end.
  const to = Math.min(pcm.sampleCount, (plan.endFrame + 1) * hopSize);
  if (plan.endFrame <= plan.startFrame) return;
  const vad =
    typeof options.vad === "object" ? options.vad : { threshold: 0.5, min_silence_seconds: 2, padding_seconds: 0.2 };
  const settings = {
    maximumSamples: model.windowSamples,
    silenceSamples: vad.min_silence_seconds * sampleRate,
    paddingSamples: vad.padding_seconds * sampleRate,
    gridSamples: hopSize,
  };
  // A cut is looked for in a window's second half, and what is speech at all, and where a pause ends, some silences farther.
  const unsettledSamples =
    settings.maximumSamples + 4 * (settings.silenceSamples + settings.paddingSamples) + 2 * sampleRate;

  const probabilities = new Float32Array(Math.ceil((to - from) / WINDOW_SAMPLES));
  let [known, nextLook, foundUntil] = [0, (FIRST_LOOK_SECONDS * sampleRate) / WINDOW_SAMPLES, from];
  for await (const block of speechProbabilities(from, to, signal)) {
    probabilities.set(block, known);
    known += block.length;
    const until = from + known * WINDOW_SAMPLES;
    if (known < nextLook || until >= to) continue;
    nextLook = NEXT_LOOK * known;
    yield* windowsUntil(until, until - unsettledSamples);
  }
  yield* windowsUntil(to, to);

  /** Windows not told yet, of what is known `until` there: those that end by `settled`, and the last only at the end. */
  function* windowsUntil(until: number, settled: number): Generator<SpeechWindow> {
    const heard = probabilities.subarray(0, known);
    const spans = dropLoneClicks(findSpeech(heard, from, until, vad), settings.silenceSamples);
    const spoken = options.vad === false ? [{ start: from, end: until }] : spans;
    const planned = planWindows(spoken, heard, from, until, settings);
    for (const [i, { start, end }] of planned.entries()) {
      if (until < to && (end > settled || i === planned.length - 1)) return;
      if (start < foundUntil) continue;
      foundUntil = end;
      const window = { start: Math.round(start / hopSize), end: Math.min(plan.endFrame, Math.ceil(end / hopSize)) };
      if (window.end <= window.start) continue;
      const near = NEAR_SECONDS * sampleRate;
      yield { ...window, spans: spansBetween(spans, start - near, end + near) };
    }
  }
}

function spansBetween(spans: readonly Span[], from: number, to: number): Span[] {
  return spans
    .filter(({ start, end }) => end > from && start < to)
    .map(({ start, end }) => ({ start: Math.max(start, from), end: Math.min(end, to) }));
}
