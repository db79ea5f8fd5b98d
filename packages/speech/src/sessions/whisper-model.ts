import type { DecoderBatch } from "./decoder-batch.ts";

/**
 * The seam between decoding and the graphs that compute it. An implementation holds native sessions, lives in the
 * child's session thread, and is used by one caller at a time. Everything in and out is a plain typed array.
 */
export interface WhisperModel {
  /** Rows that may share one run without changing each other's result. */
  readonly maxBatch: number;
  /** Whether `align` can be called. */
  readonly canAlign: boolean;

  /**
   * Log-mel features `[bins, frames]` of a window's samples, padded with zeros and limited by their own maximum; absent
   * where the model leaves them to others.
   */
  features?(samples: Float32Array, batch: number): Promise<Float32Array>;

  /** Encodes log-mel features `[batch, bins, frames]`, row-major. The handle must be released. */
  encode(mel: Float32Array, batch: number): Promise<EncodedAudio>;

  /**
   * Starts decoding one row of encoded audio for each prompt (`rows[i]` names the encoded row of prompt `i`; all prompts
   * have the same length). `logitsAt` lists positions in the prompt; the answer holds, for each prompt, the logits after
   * each of them: `[prompts, logitsAt.length, vocabulary]`, fp32.
   */
  prefill(
    audio: EncodedAudio,
    rows: readonly number[],
    prompts: readonly (readonly number[])[],
    logitsAt: readonly number[],
  ): Promise<{ state: DecoderState; logits: Float32Array }>;

  /** An empty batch of rows that come and go. */
  newBatch(): DecoderBatch;

  /** Feeds one token to each row of `state`; logits `[rows, vocabulary]`, valid until the next call on the model. */
  step(state: DecoderState, tokens: readonly number[]): Promise<Float32Array>;

  /**
   * Teacher-forces `tokens` over one encoded row. `heads` are [layer, head] pairs of the decoder's cross-attention.
   * `probabilities[i]` is that of `tokens[i + 1]` after `tokens[0..i]`, among ids below `textVocabulary`.
   * `weights` are the heads' attention probabilities `[heads, tokens.length, positions]`.
   */
  align(
    audio: EncodedAudio,
    row: number,
    tokens: readonly number[],
    heads: readonly (readonly [number, number])[],
    textVocabulary: number,
  ): Promise<Alignment>;

  /** Gives the sessions back. No call may be under way. */
  close(): Promise<void>;
}

/** Encoded windows; `release` may be called more than once. */
export interface EncodedAudio {
  readonly batch: number;
  release(): void;
}

/** Keys and values of rows that are being decoded; `release` may be called more than once. */
export interface DecoderState {
  readonly rows: number;
  release(): void;
}

export type Alignment = { weights: Float32Array; positions: number; probabilities: Float32Array };
