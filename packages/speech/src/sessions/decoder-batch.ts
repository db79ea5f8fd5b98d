import type { EncodedAudio } from "./whisper-model.ts";

/** A window that joins a batch. */
export type JoiningWindow = {
  audio: EncodedAudio;
  /** Which of the encoded windows. */
  row: number;
  prompt: readonly number[];
  /** Places in the prompt after which logits are wanted; as many for each window that joins with it. */
  logitsAt: readonly number[];
  /** For `advance`: whether the timestamp rules hold, and what is added to the logits `[vocabulary]`: 0, or −∞ for what must not come. */
  timed: boolean;
  suppress: Float32Array;
};

/** A window that is decoded from its features to its end in one run. */
export type WholeWindow = Omit<JoiningWindow, "logitsAt"> & {
  /** Where in the prompt the text starts. */
  startPosition: number;
  /** What is added to the logits `[vocabulary]` of the first token, whose rules are its own. */
  first: Float32Array;
  maximumTokens: number;
};
/** What was said, the end of text included where it came. */
export type WholeText = { tokens: number[]; logProbabilities: number[]; noSpeechProbability: number };

/** A row of a batch. */
export type DecoderRow = {
  /** Its place now; moves when others leave. */
  readonly slot: number;
  /** The token to be fed next. */
  last: number;
  readonly done: boolean;
};

/**
 * Rows that are decoded together, each with its own prompt, position and end. Rows join and leave between runs, and
 * whoever else is there changes nothing for a row. For one caller at a time.
 */
export interface DecoderBatch {
  readonly rows: readonly DecoderRow[];
  /** Takes rows in and runs their prompts; for each its logits `[logitsAt, vocabulary]`. The first token is the caller's choice. */
  join(joining: readonly JoiningWindow[]): Promise<{ row: DecoderRow; logits: Float32Array }[]>;
  /** Sets the first token of a row that is going to advance. */
  begin(row: DecoderRow, token: number): void;
  /** Feeds each row its `last` token; logits `[rows, vocabulary]` by slots, valid until the next call. */
  step(): Promise<Float32Array>;
  /** Where the graph itself chooses: up to `rounds` most probable tokens for each row by slots, the end of text included. */
  advance?(rounds: number): Promise<{ tokens: number[]; logProbabilities: number[] }[]>;
  /** Where the graph goes all the way: the texts of windows of which none is in the batch. */
  decodeWhole?(windows: readonly WholeWindow[]): Promise<WholeText[]>;
  /** Lets a row go; the last row takes its place. */
  leave(row: DecoderRow): void;
  /** Row `i` goes on as `from[i]` did: all rows are of one window. */
  reorder(from: readonly number[]): void;
}
