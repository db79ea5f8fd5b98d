import type { PcmFile } from "../audio/pcm-file.ts";
import {
  type FeatureSource,
  type WindowFeatures,
  wholeFileFeatures,
  windowFeatures,
} from "../features/feature-source.ts";
import { LogMel } from "../features/log-mel.ts";
import type { ModelFolder } from "../model/read-model-folder.ts";
import { DECODER_VERSION, type SpeechCheckpoint, type SpeechEvent } from "../speech-events.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import { type Hearing, startTokens } from "./decode-attempt.ts";
import { contextAfter, decodeInContext } from "./decode-in-context.ts";
import { isSilence } from "./decode-with-fallback.ts";
import { detectLanguage, type LanguageGuess, voteLanguage } from "./detect-language.ts";
import { dropAnomalies } from "./guards.ts";
import { placeSegments } from "./place-segments.ts";
import { knownLanguage, planTranscription } from "./transcription-plan.ts";
import type { EncodedWindow, WindowDecoder } from "./window-decoder.ts";
import { alignerOf } from "./words/aligner-of.ts";
import { timeWords } from "./words/time-words.ts";

export type SequentialRequest = {
  model: ModelFolder;
  decoder: WindowDecoder;
  pcm: PcmFile;
  options: ParsedSpeechOptions;
  /** Decides what sampling draws, together with a window's position. */
  seed: string;
  resume?: SpeechCheckpoint | undefined;
  /** What limits the features: the window's own maximum (default), or the whole file's as in Whisper's reference code. */
  melMaximum?: "window" | "file";
  /** Features of a window by the model's own graph, where it has one. */
  features?: WindowFeatures | undefined;
};

/**
 * Whisper's own way through a file: window after window, each conditioned on the text before it, the next one starting
 * where the last complete segment ended (Radford et al. 2022, section 4.5, and its published code). Yields the language,
 * then every window with its segments and a checkpoint, then `done`. Stops between steps when `signal` aborts.
 */
export async function* transcribeSequential(
  request: SequentialRequest,
  signal: AbortSignal,
): AsyncGenerator<SpeechEvent, void, undefined> {
  const { model, decoder, pcm, options, resume } = request;
  const { features, windowFrames } = model;
  const plan = planTranscription(model, options, pcm.sampleCount, "sequential", resume);
  const hearing: Hearing = { ...request, plan };
  const source = await openFeatures(request, signal);
  const secondsOf = (frames: number) => (frames * features.hopSize) / features.sampleRate;
  const encodeAt = async (frame: number) =>
    decoder.encode(() => source.window(frame, Math.max(0, Math.min(windowFrames, plan.endFrame - frame))), signal);

  let position = resume?.position ?? plan.startFrame;
  let previous: readonly number[] = resume?.previous_tokens ?? plan.promptTokens;
  let language = knownLanguage(plan, resume);
  let lastSpeech = resume?.last_speech ?? 0;
  let encoded: EncodedWindow | undefined;
  try {
    if (!language) {
      encoded = await encodeAt(position);
      language = await languageOf(hearing, encoded, signal);
    }
    yield { type: "language", ...language };
    while (position < plan.endFrame) {
      signal.throwIfAborted();
      encoded ??= await encodeAt(position);
      if (options.multilingual && plan.language === undefined) language = await languageOf(hearing, encoded, signal);
      const heard: EncodedWindow = encoded;
      const context = { position, language: language.language, previous };
      const { decoded, previous: read } = await decodeInContext(hearing, heard, context, signal);
      const contentFrames = Math.min(windowFrames, plan.endFrame - position);
      const { segments, advanceFrames } = isSilence(decoded, plan.thresholds)
        ? { segments: [], advanceFrames: contentFrames }
        : placeSegments(model, decoded, position, contentFrames);
      const timed = options.word_timestamps
        ? await timeWords(model, alignerOf(decoder, heard, signal), {
            segments,
            startTokens: startTokens(model, language.language, options.task),
            language: language.language,
            startSeconds: secondsOf(position),
            contentFrames,
            lastSpeech,
          })
        : { segments, lastSpeech };
      lastSpeech = timed.lastSpeech;
      encoded.release();
      encoded = undefined;

      const windowStart = position;
      position += advanceFrames;
      previous = contextAfter(hearing, read, segments, decoded.temperature);
      const believed =
        options.guards.anomalies && options.word_timestamps
          ? dropAnomalies(timed.segments, secondsOf(windowStart), secondsOf(windowStart + contentFrames))
          : timed.segments;
      const { language: said } = language;
      yield {
        type: "window",
        segments: options.multilingual ? believed.map((segment) => ({ ...segment, language: said })) : believed,
        processedSeconds: secondsOf(Math.min(position, plan.endFrame) - plan.startFrame),
        totalSeconds: secondsOf(plan.endFrame - plan.startFrame),
        checkpoint: {
          decoder_version: DECODER_VERSION,
          mode: "sequential",
          position,
          previous_tokens: [...previous],
          language: language.language,
          language_probability: language.probability,
          last_speech: lastSpeech,
        },
      };
    }
  } finally {
    encoded?.release();
  }
  const durationSeconds = pcm.sampleCount / features.sampleRate;
  yield {
    type: "done",
    language: language.language,
    languageProbability: language.probability,
    durationSeconds,
    ...(options.word_timestamps && { wordsMethod: decoder.canAlign ? "attention" : "interpolated" }),
  };
}

async function openFeatures(request: SequentialRequest, signal: AbortSignal): Promise<FeatureSource> {
  const { model, pcm } = request;
  const logMel = new LogMel(model.features);
  if (request.melMaximum === "file") return wholeFileFeatures(pcm, logMel, model.windowFrames, signal);
  return windowFeatures(
    pcm,
    request.features ?? ((samples) => logMel.window(samples, model.windowFrames)),
    model.features,
  );
}

async function languageOf(
  { decoder, model }: Hearing,
  window: EncodedWindow,
  signal: AbortSignal,
): Promise<LanguageGuess> {
  const { special } = model;
  return voteLanguage(
    [{ probabilities: await detectLanguage(decoder, special, window, signal), weight: 1 }],
    special.languages,
  );
}
