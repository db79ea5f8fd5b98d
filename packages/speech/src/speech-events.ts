import { z } from "zod";

/** Raised whenever a change of the decoder may change a transcript: checkpoints of another version do not hold. */
export const DECODER_VERSION = 8;

/** A word with its times in seconds, three decimals. */
export type SpeechWord = { word: string; start: number; end: number; probability: number };

/** A piece of the transcript; times in seconds from the start of the audio, three decimals. */
export type SpeechSegment = {
  start: number;
  end: number;
  text: string;
  /** Token ids, timestamps included. */
  tokens: number[];
  avg_logprob: number;
  no_speech_prob: number;
  compression_ratio: number;
  temperature: number;
  /** Where the language was detected for each window. */
  language?: string;
  words?: SpeechWord[];
};

/** Where decoding stands after a window: what is needed to go on as if nothing had happened. Plain JSON. */
export const speechCheckpointSchema = z.object({
  decoder_version: z.int(),
  /** The way through the file: places of one are none of the other. */
  mode: z.enum(["packed", "sequential"]),
  /** The next window's start, in feature frames (10 ms) of the audio. */
  position: z.int().min(0),
  /** Tokens of the text before, newest last, that the next window is conditioned on. */
  previous_tokens: z.array(z.int().min(0)),
  language: z.string(),
  language_probability: z.number(),
  /** End of the last word so far, in seconds: bounds the length of a pause before the next word. */
  last_speech: z.number().default(0),
  /** How the model was computed: what comes of another computation would not go on from here. */
  computation: z.string().optional(),
});
export type SpeechCheckpoint = z.infer<typeof speechCheckpointSchema>;

export type SpeechEvent =
  /** The model is ready; `computation` names provider, precision and graphs, e.g. `cpu/fp32/compiled`. Again where it changes. */
  | { type: "model"; computation: string }
  /** The checkpoint given was made by another computation; everything starts again. */
  | { type: "restart" }
  /** A native run is under way for this process; it must end within `deadlineMs` of the event, or the child is killed. */
  | { type: "operation"; operation: string; deadlineMs: number }
  | { type: "language"; language: string; probability: number }
  | {
      type: "window";
      segments: SpeechSegment[];
      processedSeconds: number;
      totalSeconds: number;
      checkpoint: SpeechCheckpoint;
    }
  | {
      type: "done";
      language: string;
      languageProbability: number;
      durationSeconds: number;
      /** Where words were asked for: by the network's attention, or by their lengths alone. */
      wordsMethod?: "attention" | "interpolated";
    };
