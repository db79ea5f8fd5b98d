import type { PcmFile } from "../audio/pcm-file.ts";
import { type FeatureSource, wholeFileFeatures, windowFeatures } from "../features/feature-source.ts";
import { LogMel } from "../features/log-mel.ts";
import type { ModelFolder } from "../model/read-model-folder.ts";
import type { EncodedAudio, WhisperModel } from "../sessions/whisper-model.ts";
import { DECODER_VERSION, type SpeechCheckpoint, type SpeechEvent } from "../speech-events.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import { chooseBest, sampleAt } from "./choose-token.ts";
import { type DecodedWindow, decodeWindow } from "./decode-window.ts";
import { decodeWithFallback, isSilence } from "./decode-with-fallback.ts";
import { detectLanguage, type LanguageGuess } from "./detect-language.ts";
import { placeSegments } from "./place-segments.ts";
import { randomFrom } from "./random.ts";
import { planTranscription, type TranscriptionPlan } from "./transcription-plan.ts";
import { timeWords } from "./words/time-words.ts";

export type SequentialRequest = {
  model: ModelFolder;
  network: WhisperModel;
  pcm: PcmFile;
  options: ParsedSpeechOptions;
  /** Decides what sampling draws, together with a window's position. */
  seed: string;
  resume?: SpeechCheckpoint | undefined;
  /** What limits the features: the window's own maximum (default), or the whole file's as in Whisper's reference code. */
  melMaximum?: "window" | "file";
};

/** Above this temperature a text is too free to be the next window's context. */
const TEMPERATURE_LIMIT_OF_CONTEXT = 0.5;

/**
 * Whisper's own way through a file: window after window, each conditioned on the text before it, the next one starting
 * where the last complete segment ended (Radford et al. 2022, section 4.5, and its published code). Yields the language,
 * then every window with its segments and a checkpoint, then `done`. Stops between steps when `signal` aborts.
 */
export async function* transcribeSequential(
  request: SequentialRequest,
  signal: AbortSignal,
): AsyncGenerator<SpeechEvent, void, undefined> {
  const { model, network, pcm, options, resume } = request;
  const { features, windowFrames } = model;
  const plan = planTranscription(model, options, pcm.sampleCount, resume);
  const source = await openFeatures(request, signal);
  const secondsOf = (frames: number) => (frames * features.hopSize) / features.sampleRate;
  const encodeAt = async (frame: number) =>
    network.encode(await source.window(frame, Math.max(0, Math.min(windowFrames, plan.endFrame - frame))), 1);

  let position = resume?.position ?? plan.startFrame;
  let previous = resume?.previous_tokens ?? plan.promptTokens;
  let language = knownLanguage(plan, resume);
  let lastSpeech = resume?.last_speech ?? 0;
  let encoded: EncodedAudio | undefined;
  try {
    if (!language) {
      encoded = await encodeAt(position);
      language = await detectLanguage(network, model.special, encoded, 0);
    }
    yield { type: "language", ...language };
    while (position < plan.endFrame) {
      signal.throwIfAborted();
      encoded ??= await encodeAt(position);
      const decoded = await decodeAt(request, plan, encoded, { position, language, previous }, signal);
      const contentFrames = Math.min(windowFrames, plan.endFrame - position);
      const { segments, advanceFrames } = isSilence(decoded, plan.thresholds)
        ? { segments: [], advanceFrames: contentFrames }
        : placeSegments(model, decoded, position, contentFrames);
      const timed = options.word_timestamps
        ? await timeWords(model, network, encoded, 0, {
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

      position += advanceFrames;
      previous = [...previous, ...segments.flatMap(({ tokens }) => tokens)].slice(-plan.maximumPrevious);
      const keepsContext = options.condition_on_previous_text && decoded.temperature <= TEMPERATURE_LIMIT_OF_CONTEXT;
      if (!keepsContext) previous = [];
      yield {
        type: "window",
        segments: timed.segments,
        processedSeconds: secondsOf(Math.min(position, plan.endFrame) - plan.startFrame),
        totalSeconds: secondsOf(plan.endFrame - plan.startFrame),
        checkpoint: {
          decoder_version: DECODER_VERSION,
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
    ...(options.word_timestamps && { wordsMethod: network.canAlign ? "attention" : "interpolated" }),
  };
}

async function openFeatures(request: SequentialRequest, signal: AbortSignal): Promise<FeatureSource> {
  const { model, pcm } = request;
  const logMel = new LogMel(model.features);
  if (request.melMaximum === "file") return wholeFileFeatures(pcm, logMel, model.windowFrames, signal);
  return windowFeatures(pcm, logMel, model.windowFrames);
}

/** The language where it need not be detected: of a checkpoint, as asked for, or the only one. */
function knownLanguage(plan: TranscriptionPlan, resume: SpeechCheckpoint | undefined): LanguageGuess | undefined {
  if (resume) return { language: resume.language, probability: resume.language_probability };
  return plan.language === undefined ? undefined : { language: plan.language, probability: 1 };
}

type Context = { position: number; language: LanguageGuess; previous: readonly number[] };

/** Decodes one encoded window, at higher temperatures where the text at the first one fails its thresholds. */
async function decodeAt(
  { model, network, options, seed }: SequentialRequest,
  plan: TranscriptionPlan,
  encoded: EncodedAudio,
  { position, language, previous }: Context,
  signal: AbortSignal,
): Promise<DecodedWindow> {
  const { special, tokenizer } = model;
  const before = previous.length > 0 ? [special.startOfPrevious, ...previous.slice(-plan.maximumPrevious)] : [];
  const prompt = [...before, ...startTokens(model, language.language, options.task)];
  return decodeWithFallback(
    (temperature) =>
      decodeWindow(
        network,
        tokenizer,
        encoded,
        0,
        {
          prompt,
          startPosition: before.length,
          rules: plan.rules,
          choose:
            temperature === 0 ? chooseBest : sampleAt(temperature, randomFrom(`${seed} ${position} ${temperature}`)),
          temperature,
          // The last token need not fit the context: nothing follows it.
          maximumTokens: Math.min(plan.maximumTokens, model.config.max_target_positions + 1 - prompt.length),
          endOfText: special.endOfText,
          noSpeech: special.noSpeech,
        },
        signal,
      ),
    plan.temperatures,
    plan.thresholds,
  );
}

/** The tokens that say what a window's text is to be: multilingual models are told language and task. */
function startTokens(model: ModelFolder, language: string, task: "transcribe" | "translate"): number[] {
  const { startOfTranscript, languages } = model.special;
  const languageToken = languages.get(language);
  const taskToken = model.special[task];
  if (languageToken === undefined || taskToken === undefined) return [startOfTranscript];
  return [startOfTranscript, languageToken, taskToken];
}
