import { createHash } from "node:crypto";
import type { Segment, Transcript, Word } from "../transcript.ts";
import type { ForeignJob } from "./front-door.ts";

/** What of Deepgram's query decides how its answer looks. */
export interface DeepgramAsk {
  utterances: boolean;
  paragraphs: boolean;
  diarize: boolean;
  detectLanguage: boolean;
  /** The model's name as it was asked for. */
  model: string;
  /** Of the audio, where that is more than what we mix down to. */
  channels: number;
}

/** Its clients count speakers from 0, in order of appearance; where nobody was told apart there is none. */
function speakerNumbers({ speakers = [] }: Transcript) {
  const numbers = new Map(speakers.map((label, index) => [label, index]));
  return (label: string | undefined): number | undefined => (label === undefined ? undefined : numbers.get(label));
}

/** Deepgram's `ListenV1Response` of a prerecorded file. Times in seconds. */
export function renderDeepgram(job: ForeignJob, transcript: Transcript, ask: DeepgramAsk) {
  const numberOf = ask.diarize ? speakerNumbers(transcript) : () => undefined;
  const modelId = uuidOf(job.model);
  const byChannel = Map.groupBy(transcript.segments, ({ channel = 0 }) => channel);
  const channels = byChannel.size > 0 ? [...byChannel.keys()].sort((a, b) => a - b) : [0];
  return {
    metadata: {
      transaction_key: "deprecated",
      request_id: job.id,
      sha256: job.audioSha256 ?? "",
      created: job.createdAt.toISOString(),
      duration: transcript.duration,
      channels: channels.length,
      models: [modelId],
      model_info: { [modelId]: { name: ask.model, version: "1", arch: job.model } },
    },
    results: {
      channels: channels.map((channel) => ({
        alternatives: [alternative(byChannel.get(channel) ?? [], ask, numberOf)],
        ...(ask.detectLanguage && transcript.language !== null
          ? { detected_language: transcript.language, language_confidence: transcript.language_probability ?? 1 }
          : {}),
      })),
      ...(ask.utterances
        ? { utterances: transcript.segments.map((segment, at) => utterance(job, segment, at, numberOf)) }
        : {}),
    },
  };
}

/** What Deepgram posts to `callback`: the whole answer, or the error. */
export function renderDeepgramCallback(job: ForeignJob, transcript: Transcript | null): string {
  if (transcript) return JSON.stringify(renderDeepgram(job, transcript, job.frontDoor?.ask as unknown as DeepgramAsk));
  const message = job.error?.message ?? "The request was cancelled.";
  return JSON.stringify({ err_code: job.error?.code ?? "CANCELLED", err_msg: message, request_id: job.id });
}

type NumberOf = (label: string | undefined) => number | undefined;

function alternative(segments: readonly Segment[], ask: DeepgramAsk, numberOf: NumberOf) {
  const words = segments.flatMap((segment) => wordsOf(segment, numberOf));
  const transcript = segments
    .map(({ text }) => text.trim())
    .filter(Boolean)
    .join(" ");
  return {
    transcript,
    confidence: mean(words.map(({ confidence }) => confidence)),
    words,
    ...(ask.paragraphs ? { paragraphs: paragraphs(segments, numberOf) } : {}),
  };
}

function wordsOf(segment: Segment, numberOf: NumberOf) {
  return (segment.words ?? []).map((word) => {
    const speaker = numberOf(word.speaker ?? segment.speaker);
    return {
      word: bare(word),
      start: word.start,
      end: word.end,
      confidence: word.probability,
      ...(speaker === undefined ? {} : { speaker, speaker_confidence: 0 }),
      punctuated_word: word.word.trim(),
    };
  });
}

function utterance(job: ForeignJob, segment: Segment, at: number, numberOf: NumberOf) {
  const words = wordsOf(segment, numberOf);
  const speaker = numberOf(segment.speaker);
  return {
    id: uuidOf(`${job.id} ${at}`),
    start: segment.start,
    end: segment.end,
    confidence: mean(words.map(({ confidence }) => confidence)),
    channel: segment.channel ?? 0,
    transcript: segment.text.trim(),
    words,
    ...(speaker === undefined ? {} : { speaker }),
  };
}

/** A pause of this length, or another speaker, begins a paragraph. */
const PARAGRAPH_PAUSE_SECONDS = 1.5;
const PARAGRAPH_SENTENCES = 5;

function paragraphs(segments: readonly Segment[], numberOf: NumberOf) {
  const groups: Segment[][] = [];
  for (const segment of segments) {
    const group = groups.at(-1);
    const before = group?.at(-1);
    const goesOn =
      group !== undefined &&
      before !== undefined &&
      before.speaker === segment.speaker &&
      segment.start - before.end < PARAGRAPH_PAUSE_SECONDS &&
      group.length < PARAGRAPH_SENTENCES;
    if (goesOn) group.push(segment);
    else groups.push([segment]);
  }
  const rendered = groups.map((group) => {
    const speaker = numberOf(group[0]?.speaker);
    const sentences = group.map(({ text, start, end }) => ({ text: text.trim(), start, end }));
    return {
      sentences,
      ...(speaker === undefined ? {} : { speaker }),
      num_words: sentences.reduce((sum, { text }) => sum + text.split(/\s+/).filter(Boolean).length, 0),
      start: group[0]?.start ?? 0,
      end: group.at(-1)?.end ?? 0,
    };
  });
  const transcript = rendered
    .map(({ sentences, speaker }) => {
      const text = sentences.map((sentence) => sentence.text).join(" ");
      return speaker === undefined ? text : `Speaker ${speaker}: ${text}`;
    })
    .join("\n\n");
  return { transcript: `\n${transcript}`, paragraphs: rendered };
}

/** Without punctuation around it, in lower case. */
function bare({ word }: Word): string {
  const inner = word.trim().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
  return (inner || word.trim()).toLowerCase();
}

function mean(values: readonly number[]): number {
  if (values.length === 0) return 0;
  return Math.round((values.reduce((sum, value) => sum + value, 0) / values.length) * 1e6) / 1e6;
}

/** A UUID that is always the same for the same text, for things that have none here. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}
