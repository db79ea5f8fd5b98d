import type { PcmFile } from "../audio/pcm-file.ts";
import type { ModelFolder } from "../model/read-model-folder.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import { dropLoneClicks, findSpeech, type Span } from "../vad/find-speech.ts";
import { planWindows } from "../vad/plan-windows.ts";

/** A stretch of the file in feature frames. */
export type Window = { start: number; end: number };

type Request = {
  model: ModelFolder;
  pcm: PcmFile;
  options: ParsedSpeechOptions;
  /** How probable speech is in each window of 512 samples between two samples of the file. */
  speechProbabilities: (from: number, to: number, signal: AbortSignal) => Promise<Float32Array>;
};

/** Windows of speech in feature frames, and where in the file speech is, in samples. Without detection all is speech, and only cut. */
export async function findWindows(
  { model, options, pcm, speechProbabilities }: Request,
  plan: { startFrame: number; endFrame: number },
  signal: AbortSignal,
): Promise<{ windows: Window[]; spans: Span[] }> {
  const { hopSize, sampleRate } = model.features;
  const from = plan.startFrame * hopSize;
  // Samples behind the last whole frame belong to the file's end.
  const to = Math.min(pcm.sampleCount, (plan.endFrame + 1) * hopSize);
  if (plan.endFrame <= plan.startFrame) return { windows: [], spans: [] };
  const probabilities = await speechProbabilities(from, to, signal);
  const vad =
    typeof options.vad === "object" ? options.vad : { threshold: 0.5, min_silence_seconds: 2, padding_seconds: 0.2 };
  const silenceSamples = vad.min_silence_seconds * sampleRate;
  const spans = dropLoneClicks(findSpeech(probabilities, from, to, vad), silenceSamples);
  const heard = options.vad === false ? [{ start: from, end: to }] : spans;
  const planned = planWindows(heard, probabilities, from, to, {
    maximumSamples: model.windowSamples,
    silenceSamples,
    paddingSamples: vad.padding_seconds * sampleRate,
    gridSamples: hopSize,
  });
  const windows = planned.map(({ start, end }) => ({
    start: Math.round(start / hopSize),
    end: Math.min(plan.endFrame, Math.ceil(end / hopSize)),
  }));
  return { windows: windows.filter(({ start, end }) => end > start), spans };
}
