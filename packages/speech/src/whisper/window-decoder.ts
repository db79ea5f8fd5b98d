import type { Alignment, EncodedAudio } from "../sessions/whisper-model.ts";
import type { ChooseToken } from "./choose-token.ts";
import type { LogitsRule } from "./logits-rules.ts";

/** An encoded window; release it after use, more than once is no harm. */
export type EncodedWindow = { readonly audio: EncodedAudio; readonly row: number; release(): void };

export type DecodeRequest = {
  prompt: readonly number[];
  /** Where in the prompt `<|startoftranscript|>` stands. */
  startPosition: number;
  rules: readonly LogitsRule[];
  /**
   * The same rules for a graph that chooses the most probable token by itself: the timestamp rules, and what is added to
   * the logits `[vocabulary]`. Absent where tokens are sampled, or the rules are others.
   */
  inGraph?: { suppress: Float32Array } | undefined;
  /** Makes a chooser of tokens; a window that has to begin again begins with a new one. */
  choose: () => ChooseToken;
  maximumTokens: number;
  endOfText: number;
  noSpeech?: number | undefined;
  /** Whether to end a text that goes round in circles; asked now and then with the tokens so far. */
  isLoop?: ((tokens: readonly number[]) => boolean) | undefined;
};

/** Search over several texts at once instead of choosing token by token. */
export type BeamSettings = {
  beams: number;
  /** So many times `beams` texts must have ended before the search does. */
  patience: number;
  /** Exponent of a text's length that its log probability is divided by; null: the length itself. */
  lengthPenalty: number | null;
};

export type RawText = {
  /** Text and timestamps, without prompt and end. */
  tokens: number[];
  /** Σ log probability of the tokens, the end's included. */
  sumLogprob: number;
  noSpeechProbability: number;
  /** Whether it was ended for going round in circles. */
  looped: boolean;
};

/** What decoding asks of a model, for one request among others that share it. */
export interface WindowDecoder {
  readonly canAlign: boolean;
  /** Windows of one request that are worth having under way at once. */
  readonly width: number;
  /** Encodes the features `[bins, frames]` that `features` gives when it is this window's turn. */
  encode(features: () => Promise<Float32Array>, signal: AbortSignal): Promise<EncodedWindow>;
  /** Logits `[vocabulary]` after a prompt. */
  logitsAfter(window: EncodedWindow, prompt: readonly number[], signal: AbortSignal): Promise<Float32Array>;
  decode(window: EncodedWindow, request: DecodeRequest, signal: AbortSignal): Promise<RawText>;
  search(window: EncodedWindow, request: DecodeRequest, beam: BeamSettings, signal: AbortSignal): Promise<RawText>;
  /** As `WhisperModel.align`. */
  align(
    window: EncodedWindow,
    tokens: readonly number[],
    heads: readonly (readonly [number, number])[],
    textVocabulary: number,
    signal: AbortSignal,
  ): Promise<Alignment>;
}
