import type { Span } from "../turns.ts";

/** Who speaks when; `speaker` is a label such as `SPEAKER_00`. */
export type LabelledTurn = Span & { speaker: string };

/** How turns were found: by networks as pyannote's 3.1 or community-1 pipelines, or without any trained model of voices. */
export type DiarizationMethod = "pyannote-3.1" | "pyannote-community-1" | "gaussian-bic";

export type Diarization = {
  method: DiarizationMethod;
  speakers: string[];
  /** By time; turns of different speakers may overlap. */
  turns: LabelledTurn[];
  /** The same with one speaker at a time, for words. */
  exclusiveTurns: LabelledTurn[];
  /** Seconds that hold speech. */
  speechSeconds: number;
};

export type DiarizationRequest = {
  /** File of 16 kHz mono signed 16-bit little-endian samples, without header. */
  pcmPath: string;
  /** The same number twice where it is known. */
  minSpeakers?: number | undefined;
  maxSpeakers?: number | undefined;
  /** The part to listen to, in seconds; times stay those of the file. */
  clip?: { start?: number | undefined; end?: number | undefined } | undefined;
  /** Where speech is, by somebody else's finding; times in the file. */
  speech?: Span[] | undefined;
  /** Folders of the networks; without both the method is `gaussian-bic`. */
  segmentationModel?: string | undefined;
  embeddingModel?: string | undefined;
  /** How finely the networks look; `auto`: `fast` on the CPU, `exact` on a GPU. */
  speed?: "auto" | "exact" | "fast" | undefined;
  executionProviders: readonly string[];
  intraOpThreads: number;
};

/** What the child says: how far it is (0…1), what it found, or why it failed. */
export type DiarizationMessage =
  | { type: "progress"; share: number }
  | { type: "done"; diarization: Diarization; peakMemoryBytes: number }
  | { type: "failed"; code: string; message: string };
