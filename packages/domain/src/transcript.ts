/** Offsets into audio are seconds, rounded to milliseconds. */
export interface Word {
  word: string;
  start: number;
  end: number;
  probability: number;
  speaker?: string;
}

export interface Segment {
  id: number;
  start: number;
  end: number;
  text: string;
  speaker?: string;
  avg_logprob: number;
  no_speech_prob: number;
  compression_ratio: number;
  temperature: number;
  channel?: number;
  language?: string;
  words?: Word[];
  /** Where a lexicon changed the text: as it was heard. */
  original_text?: string;
  /** The segment's decoding figures once more, for callers of older services that asked for them. */
  extra_data?: Record<string, unknown>;
}

export interface DiarizationTurn {
  start: number;
  end: number;
  speaker: string;
}

export interface Transcript {
  text: string;
  language: string | null;
  language_probability: number | null;
  duration: number;
  segments: Segment[];
  words_method?: string;
  speakers?: string[];
  diarization?: { method: string; num_speakers: number; turns: DiarizationTurn[] };
  original_text?: string;
  cached?: boolean;
}

/** The text of a transcript: its segments', each trimmed, joined by one space. */
export function joinSegmentTexts(segments: readonly { text: string }[]): string {
  return segments
    .map((segment) => segment.text.trim())
    .filter((text) => text.length > 0)
    .join(" ");
}

/** Milliseconds are all that offsets carry. */
export function roundSeconds(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
