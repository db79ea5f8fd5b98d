import type { ModelFolder } from "../model/read-model-folder.ts";
import { SpeechError } from "../speech-error.ts";
import { DECODER_VERSION, type SpeechCheckpoint } from "../speech-events.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import type { FallbackThresholds } from "./decode-with-fallback.ts";
import { requestedLanguage } from "./detect-language.ts";
import { type LogitsRule, suppress, suppressAtBegin, timestampRules } from "./logits-rules.ts";

/** A request made ready for one model: everything checked that can be before the first window. */
export type TranscriptionPlan = {
  /** Frames of the audio to transcribe: `[startFrame, endFrame)`. */
  startFrame: number;
  endFrame: number;
  /** Undefined where it must be detected. */
  language: string | undefined;
  rules: readonly LogitsRule[];
  temperatures: readonly number[];
  thresholds: FallbackThresholds;
  /** Tokens of the text that comes before the first window. */
  promptTokens: readonly number[];
  /** The most tokens of earlier text that fit before a window's own. */
  maximumPrevious: number;
  maximumTokens: number;
};

/** Checks options and checkpoint against model and audio. Throws `invalid_option` or `language_unsupported`. */
export function planTranscription(
  model: ModelFolder,
  options: ParsedSpeechOptions,
  sampleCount: number,
  resume: SpeechCheckpoint | undefined,
): TranscriptionPlan {
  const { special, tokenizer, config, features } = model;
  const refuse = (message: string) => {
    throw new SpeechError("invalid_option", message);
  };
  if (options.task === "translate" && special.translate === undefined) refuse("task: the model cannot translate");
  if (options.task === "translate" && special.languages.size === 0) refuse("task: an English-only model");
  const tooHigh = options.suppress_tokens?.find((id) => id >= config.vocab_size);
  if (tooHigh !== undefined) refuse(`suppress_tokens: the vocabulary ends before ${tooHigh}`);
  if (resume && resume.decoder_version !== DECODER_VERSION) refuse("resume: a checkpoint of another decoder");

  const contentFrames = Math.floor(sampleCount / features.hopSize);
  const framesOf = (seconds: number) => Math.round((seconds * features.sampleRate) / features.hopSize);
  const { clip } = options;
  if (clip && framesOf(clip.start) >= contentFrames) refuse("clip: starts behind the end of the audio");
  const startFrame = clip ? framesOf(clip.start) : 0;
  const endFrame = clip ? Math.min(framesOf(clip.end), contentFrames) : contentFrames;
  if (resume && resume.position < startFrame) refuse("resume: a checkpoint of other audio");
  if (resume?.previous_tokens.some((id) => id >= config.vocab_size)) refuse("resume: a checkpoint of another model");

  // Half of the context is for what was said before, `<|startofprev|>` included; half for the window's own text.
  const half = Math.floor(config.max_target_positions / 2);
  return {
    startFrame,
    endFrame,
    language: requestedLanguage(options.language, special) ?? (special.languages.size === 0 ? "en" : undefined),
    rules: rulesFor(model, options),
    temperatures: Array.isArray(options.temperature) ? options.temperature : [options.temperature],
    thresholds: {
      compressionRatio: options.compression_ratio_threshold,
      logprob: options.logprob_threshold,
      noSpeech: options.no_speech_threshold,
    },
    promptTokens: options.prompt?.trim() ? tokenizer.encode(` ${options.prompt.trim()}`) : [],
    maximumPrevious: half - 1,
    maximumTokens: half,
  };
}

function rulesFor(model: ModelFolder, options: ParsedSpeechOptions): LogitsRule[] {
  const { special, generation } = model;
  const asked = options.suppress_tokens ?? [-1];
  const suppressed = asked.flatMap((id) => (id === -1 ? model.suppressTokens : [id]));
  return [
    suppressAtBegin(model.beginSuppressTokens),
    suppress([...new Set([...suppressed, ...special.control])]),
    timestampRules({ ...special, maximumInitialIndex: generation.max_initial_timestamp_index ?? undefined }),
  ];
}
