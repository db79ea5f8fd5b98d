import { CONTENT_TYPES, renderSrt, renderVtt, type Segment, type Transcript } from "@scribe/domain";
import type { ForeignTranscript } from "../answer-when-done.ts";
import type { TranscriptionAsk } from "./transcription-form.ts";

const JSON_TYPE = "application/json; charset=utf-8";
const VTT_HEAD = "WEBVTT\n\n";

/** Seconds that were listened to, which is what this API counts. */
export function usageOf({ duration }: Transcript) {
  return { type: "duration" as const, seconds: Math.ceil(duration) };
}

/** A transcript as OpenAI's API writes it in the format that was asked for. */
export function renderOpenai(ask: TranscriptionAsk): ForeignTranscript {
  const json = (view: (transcript: Transcript) => object): ForeignTranscript => ({
    contentType: JSON_TYPE,
    filler: " ",
    rest: (transcript) => JSON.stringify(view(transcript)),
  });
  switch (ask.format) {
    case "text":
      return { contentType: CONTENT_TYPES.text, filler: "\n", rest: ({ text }) => `${text}\n` };
    case "srt":
      return { contentType: CONTENT_TYPES.text, filler: "\n", rest: ({ segments }) => renderSrt(segments) };
    case "vtt":
      return {
        contentType: CONTENT_TYPES.vtt,
        opening: VTT_HEAD,
        filler: "\n",
        rest: ({ segments }) => renderVtt(segments).slice(VTT_HEAD.length),
      };
    case "verbose_json":
      return json((transcript) => verbose(transcript, ask));
    case "diarized_json":
      return json((transcript) => diarized(transcript, ask.speakerNames));
    case "json":
      return json((transcript) => ({ text: transcript.text, usage: usageOf(transcript) }));
  }
}

function verbose(transcript: Transcript, { fields, granularities }: TranscriptionAsk) {
  const { segments, duration, text, language } = transcript;
  return {
    task: fields.task ?? "transcribe",
    language: languageName(language),
    duration,
    text,
    ...(granularities.includes("segment") ? { segments: segments.map(verboseSegment) } : {}),
    ...(granularities.includes("word")
      ? { words: segments.flatMap(({ words = [] }) => words.map(({ word, start, end }) => ({ word, start, end }))) }
      : {}),
    usage: usageOf(transcript),
  };
}

const WINDOW_SECONDS = 30;
const FRAMES_A_SECOND = 100;

function verboseSegment(segment: Segment, id: number) {
  const { start, end, text, temperature, avg_logprob, compression_ratio, no_speech_prob, extra_data } = segment;
  return {
    id,
    // The frame where a window that holds the segment would begin, had all windows thirty seconds.
    seek: Math.floor(start / WINDOW_SECONDS) * WINDOW_SECONDS * FRAMES_A_SECOND,
    start,
    end,
    text,
    tokens: extra_data?.tokens ?? [],
    temperature,
    avg_logprob,
    compression_ratio,
    no_speech_prob,
  };
}

function diarized(transcript: Transcript, names: readonly string[]) {
  const nameOf = speakerNames(transcript.speakers ?? [], names);
  return {
    task: "transcribe",
    duration: transcript.duration,
    text: transcript.text,
    segments: transcript.segments.map((segment, index) => diarizedSegment(segment, index, nameOf)),
    usage: usageOf(transcript),
  };
}

export function diarizedSegment(segment: Segment, index: number, nameOf: (label: string | undefined) => string) {
  return {
    type: "transcript.text.segment" as const,
    id: `seg_${index}`,
    start: segment.start,
    end: segment.end,
    text: segment.text,
    speaker: nameOf(segment.speaker),
  };
}

/** The caller's names in order of appearance, then `A`, `B`, … `Z`, `AA`. */
export function speakerNames(labels: readonly string[], given: readonly string[]) {
  const names = new Map(labels.map((label, index) => [label, given[index] ?? letters(index)]));
  return (label: string | undefined): string => (label === undefined ? "A" : (names.get(label) ?? label));
}

/** 0 → A, 25 → Z, 26 → AA. */
function letters(index: number): string {
  const rest = index < 26 ? "" : letters(Math.floor(index / 26) - 1);
  return rest + String.fromCharCode(65 + (index % 26));
}

const ENGLISH_NAMES = new Intl.DisplayNames("en", { type: "language" });

/** `he` → `hebrew`, as this API writes it. */
function languageName(code: string | null): string {
  return code === null ? "" : (ENGLISH_NAMES.of(code) ?? code).toLowerCase();
}
