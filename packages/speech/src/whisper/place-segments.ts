import type { ModelFolder } from "../model/read-model-folder.ts";
import type { SpeechSegment } from "../speech-events.ts";
import type { DecodedWindow } from "./decode-window.ts";
import { splitSegments } from "./split-segments.ts";

/** A window's segments with their times in the file, and how many frames on the next window starts. */
export type PlacedWindow = { segments: SpeechSegment[]; advanceFrames: number };

/** Turns a decoded window into segments; those without length or text are left out. */
export function placeSegments(
  model: ModelFolder,
  decoded: DecodedWindow,
  startFrame: number,
  contentFrames: number,
): PlacedWindow {
  const { tokenizer, special, framesPerTimestamp, secondsPerTimestamp, features } = model;
  const startSeconds = (startFrame * features.hopSize) / features.sampleRate;
  const split = splitSegments(decoded.tokens, special.firstTimestamp, contentFrames / framesPerTimestamp);
  // A timestamp may point into the silence that was put behind the end.
  const lastStep = Math.ceil(contentFrames / framesPerTimestamp);
  const secondsAt = (step: number) => milliseconds(startSeconds + Math.min(step, lastStep) * secondsPerTimestamp);
  const segments = split.segments
    .filter(({ startStep, endStep }) => startStep !== endStep)
    .map(({ startStep, endStep, tokens }) => ({
      start: secondsAt(startStep),
      end: secondsAt(endStep),
      text: tokenizer.decode(tokens.filter((token) => token < special.endOfText)),
      tokens,
      avg_logprob: figure(decoded.avgLogprob),
      no_speech_prob: figure(decoded.noSpeechProbability),
      compression_ratio: decoded.compressionRatio,
      temperature: decoded.temperature,
    }))
    .filter(({ text }) => text.trim() !== "");
  const advanceFrames = (split.advanceSteps ?? 0) * framesPerTimestamp;
  // A window that would start where this one did would never end.
  return { segments, advanceFrames: advanceFrames > 0 ? advanceFrames : contentFrames };
}

/**
 * A figure as it is given out, to four decimals: beyond them it depends on how many rows were computed together, and the
 * same window is to give the same wherever it runs.
 */
export function figure(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

/** Seconds to three decimals. */
export function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
