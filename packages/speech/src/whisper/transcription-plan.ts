import type { ModelFolder } from "../model/read-model-folder.ts";
import { SpeechError } from "../speech-error.ts";
import { DECODER_VERSION, type SpeechCheckpoint } from "../speech-events.ts";
import type { ParsedSpeechOptions } from "../speech-options.ts";
import type { FallbackThresholds } from "./decode-with-fallback.ts";
import { type LanguageGuess, requestedLanguage } from "./detect-language.ts";
import { type LogitsRule, suppress, suppressAtBegin, timestampRules } from "./logits-rules.ts";

/** A request made ready for one model: everything checked that can be before the first window. */
export type TranscriptionPlan = {
  /** Frames of the audio to transcribe: `[startFrame, endFrame)`. */
  startFrame: number;
  endFrame: number;
  /** Undefined where it must be detected. */
  language: string | undefined;
  rules: readonly LogitsRule[];
  /** The same rules for a graph that chooses by itself. */
  inGraph: { suppress: Float32Array };
  temperatures: readonly number[];
  thresholds: FallbackThresholds;
  /** Tokens of the text that comes before the first window. */
  promptTokens: readonly number[];
  /** What comes before the text of every window. */
  hotwordTokens: readonly number[];
  /** What the text of every window begins with; not said again. */
  prefixTokens: readonly number[];
  /** The most tokens of earlier text that fit before a window's own. */
  maximumPrevious: number;
  maximumTokens: number;
};

/** Checks options and checkpoint against model and audio. Throws `invalid_option` or `language_unsupported`. */
export function planTranscription(
  model: ModelFolder,
  options: ParsedSpeechOptions,
  sampleCount: number,
  mode: SpeechCheckpoint["mode"],
  resume: SpeechCheckpoint | undefined,
): TranscriptionPlan {
  const { special, tokenizer, config, features } = model;
  const refuse = (message: string) => {
    throw new SpeechError("invalid_option", message);
  };
  if (options.task === "translate" && special.translate === undefined) refuse("task: the model cannot translate");
  if (options.task === "translate" && special.languages.size === 0) {
    throw new SpeechError("language_unsupported", "The model knows only English, and cannot translate into it");
  }
  const tooHigh = options.suppress_tokens?.find((id) => id >= config.vocab_size);
  if (tooHigh !== undefined) refuse(`suppress_tokens: the vocabulary ends before ${tooHigh}`);
  if (resume && resume.decoder_version !== DECODER_VERSION) refuse("resume: a checkpoint of another decoder");
  if (resume && resume.mode !== mode) refuse("resume: a checkpoint of another mode");

  const contentFrames = Math.floor(sampleCount / features.hopSize);
  const framesOf = (seconds: number) => Math.round((seconds * features.sampleRate) / features.hopSize);
  const { clip } = options;
  if (clip && framesOf(clip.start) >= contentFrames) refuse("clip: starts behind the end of the audio");
  const startFrame = clip ? framesOf(clip.start) : 0;
  const endFrame = clip ? Math.min(framesOf(clip.end), contentFrames) : contentFrames;
  if (resume && resume.position < startFrame) refuse("resume: a checkpoint of other audio");
  if (resume?.previous_tokens.some((id) => id >= config.vocab_size)) refuse("resume: a checkpoint of another model");

  const encode = (text: string | undefined) => (text?.trim() ? tokenizer.encode(` ${text.trim()}`) : []);
  // Half of the context is for what was said before, `<|startofprev|>` included; half for the window's own text.
  const half = Math.floor(config.max_target_positions / 2);
  const prefixTokens = encode(options.prefix);
  if (prefixTokens.length >= half) refuse(`prefix: ${prefixTokens.length} tokens, a window has ${half}`);
  return {
    startFrame,
    endFrame,
    language: requestedLanguage(options.language, special) ?? (special.languages.size === 0 ? "en" : undefined),
    ...rulesFor(model, options),
    temperatures: Array.isArray(options.temperature) ? options.temperature : [options.temperature],
    thresholds: {
      compressionRatio: options.compression_ratio_threshold,
      logprob: options.logprob_threshold,
      noSpeech: options.no_speech_threshold,
    },
    promptTokens: encode(options.prompt),
    // Hotwords are a help, a prefix is an order: that one must fit whole.
    hotwordTokens: encode(options.hotwords.join(", ")).slice(0, half >> 1),
    prefixTokens,
    maximumPrevious: half - 1,
    maximumTokens: half - prefixTokens.length,
  };
}

function rulesFor(model: ModelFolder, options: ParsedSpeechOptions): Pick<TranscriptionPlan, "rules" | "inGraph"> {
  const { special, generation } = model;
  const asked = options.suppress_tokens ?? [-1];
  const suppressed = asked.flatMap((id) => (id === -1 ? model.suppressTokens : [id]));
  const never = [...new Set([...suppressed, ...special.control])];
  const rules = [
    suppressAtBegin(model.beginSuppressTokens),
    suppress(never),
    timestampRules({ ...special, maximumInitialIndex: generation.max_initial_timestamp_index ?? undefined }),
  ];
  // The first token's own rules are not for the graph: it is never the graph's choice.
  const suppressing = new Float32Array(model.config.vocab_size);
  for (const id of never) suppressing[id] = Number.NEGATIVE_INFINITY;
  return { rules, inGraph: { suppress: suppressing } };
}

/** The language where it need not be detected: of a checkpoint, as asked for, or the only one. */
export function knownLanguage(
  plan: TranscriptionPlan,
  resume: SpeechCheckpoint | undefined,
): LanguageGuess | undefined {
  if (resume) return { language: resume.language, probability: resume.language_probability };
  return plan.language === undefined ? undefined : { language: plan.language, probability: 1 };
}
