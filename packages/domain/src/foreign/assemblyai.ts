import type { JobStatus } from "../job-state.ts";
import type { Segment, Transcript, Word } from "../transcript.ts";
import type { ForeignJob } from "./front-door.ts";

/** What of AssemblyAI's request comes back with every answer. */
export interface AssemblyaiAsk {
  audio_url: string;
  speaker_labels: boolean;
  language_detection: boolean;
  multichannel: boolean;
  webhook_url: string | null;
  webhook_auth_header_name: string | null;
  speech_model: string | null;
}

export const ASSEMBLYAI_STATUSES = {
  pending: "queued",
  processing: "processing",
  completed: "completed",
  failed: "error",
  cancelled: "error",
} as const satisfies Record<JobStatus, string>;

/** Words as AssemblyAI has them: times in whole milliseconds, speakers `A`, `B`, …, null where nobody was told apart. */
export interface AssemblyaiWord {
  text: string;
  start: number;
  end: number;
  confidence: number;
  speaker: string | null;
  channel?: string;
}

/** AssemblyAI's `Transcript`, of a job in any state. */
export function renderAssemblyai(job: ForeignJob, transcript: Transcript | null) {
  const ask = (job.frontDoor?.ask ?? {}) as Partial<AssemblyaiAsk>;
  const words = transcript ? assemblyaiWords(transcript) : null;
  return {
    id: job.id,
    status: ASSEMBLYAI_STATUSES[job.status],
    audio_url: ask.audio_url ?? "",
    language_model: "assemblyai_default",
    acoustic_model: "assemblyai_default",
    speech_model: ask.speech_model ?? null,
    language_code: transcript?.language ?? job.language,
    language_detection: ask.language_detection ?? false,
    language_confidence: transcript?.language_probability ?? null,
    text: transcript?.text ?? null,
    words,
    utterances: transcript && (ask.speaker_labels || ask.multichannel) ? utterances(transcript) : null,
    confidence: words === null ? null : mean(words),
    audio_duration: transcript ? Math.round(transcript.duration) : null,
    punctuate: true,
    format_text: true,
    speaker_labels: ask.speaker_labels ?? false,
    multichannel: ask.multichannel ?? false,
    audio_channels: transcript && ask.multichannel ? channelsOf(transcript) : null,
    webhook_url: ask.webhook_url ?? null,
    webhook_auth: (ask.webhook_auth_header_name ?? null) !== null,
    webhook_auth_header_name: ask.webhook_auth_header_name ?? null,
    ...(job.status === "failed" || job.status === "cancelled" ? { error: errorOf(job) } : {}),
  };
}

/** What is posted to `webhook_url`: only that it is over. */
export function renderAssemblyaiWebhook(job: ForeignJob): string | null {
  const over = job.status === "completed" ? "completed" : job.status === "processing" ? null : "error";
  return over === null ? null : JSON.stringify({ transcript_id: job.id, status: over });
}

export function errorOf({ error }: Pick<ForeignJob, "error">): string {
  return error?.message ?? "The transcription was cancelled.";
}

export function assemblyaiWords(transcript: Transcript): AssemblyaiWord[] {
  const letterOf = speakerLetters(transcript);
  return transcript.segments.flatMap((segment) => wordsOf(segment, letterOf));
}

/** A sentence or a paragraph: words from one to another. */
export interface AssemblyaiSpan {
  text: string;
  start: number;
  end: number;
  confidence: number;
  words: AssemblyaiWord[];
  speaker: string | null;
}

const SENTENCE_END = /[.?!…。？！]["'”’)]*$/;

/** Sentences by their punctuation and by who speaks. */
export function assemblyaiSentences(transcript: Transcript): AssemblyaiSpan[] {
  return group(
    assemblyaiWords(transcript),
    (before, word) => SENTENCE_END.test(before.text) || before.speaker !== word.speaker,
  );
}

const PARAGRAPH_PAUSE_MS = 1500;
const PARAGRAPH_WORDS = 80;

/** Sentences together until somebody else speaks, a pause comes, or it grows too long. */
export function assemblyaiParagraphs(transcript: Transcript): AssemblyaiSpan[] {
  return group(assemblyaiWords(transcript), (before, word, count) => {
    if (before.speaker !== word.speaker) return true;
    if (!SENTENCE_END.test(before.text)) return false;
    return word.start - before.end > PARAGRAPH_PAUSE_MS || count >= PARAGRAPH_WORDS;
  });
}

/** Where words or phrases occur, each phrase once; case and punctuation do not count. */
export function searchWords(transcript: Transcript, wanted: readonly string[]) {
  const words = assemblyaiWords(transcript);
  const plain = words.map(({ text }) => bare(text));
  // A day of speech has 200,000 words: they are gone through once, however many phrases are sought.
  const places = Map.groupBy(plain.keys(), (at) => plain[at] ?? "");
  return [...new Set(wanted)].map((phrase) => {
    const parts = phrase.trim().split(/\s+/).map(bare);
    const begins = places.get(parts[0] ?? "") ?? [];
    const indexes = begins.filter((at) => parts.every((part, offset) => plain[at + offset] === part));
    const timestamps = indexes.map((at) => [words[at]?.start ?? 0, words[at + parts.length - 1]?.end ?? 0]);
    return { text: phrase, count: indexes.length, timestamps, indexes };
  });
}

function utterances(transcript: Transcript) {
  return group(assemblyaiWords(transcript), (before, word) => before.speaker !== word.speaker).map((span) => ({
    ...span,
    speaker: span.speaker ?? "A",
  }));
}

function group(
  words: readonly AssemblyaiWord[],
  begins: (before: AssemblyaiWord, word: AssemblyaiWord, count: number) => boolean,
): AssemblyaiSpan[] {
  const groups: AssemblyaiWord[][] = [];
  for (const word of words) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    if (last === undefined || before === undefined || begins(before, word, last.length)) groups.push([word]);
    else last.push(word);
  }
  return groups.map((members) => ({
    text: members.map(({ text }) => text).join(" "),
    start: members[0]?.start ?? 0,
    end: members.at(-1)?.end ?? 0,
    confidence: mean(members),
    words: members,
    speaker: members[0]?.speaker ?? null,
  }));
}

type LetterOf = (label: string | undefined) => string | null;

function speakerLetters({ speakers = [] }: Transcript): LetterOf {
  const letters = new Map(speakers.map((label, index) => [label, String.fromCharCode(65 + (index % 26))]));
  return (label) => (label === undefined ? null : (letters.get(label) ?? null));
}

function wordsOf(segment: Segment, letterOf: LetterOf): AssemblyaiWord[] {
  const channel = segment.channel === undefined ? {} : { channel: String(segment.channel + 1) };
  const timed: Pick<Word, "word" | "start" | "end" | "probability" | "speaker">[] =
    segment.words ?? interpolate(segment);
  return timed.map(({ word, start, end, probability, speaker }) => ({
    text: word.trim(),
    start: Math.round(start * 1000),
    end: Math.round(end * 1000),
    confidence: probability,
    speaker: letterOf(speaker ?? segment.speaker),
    ...channel,
  }));
}

/** Without word times a segment's words share its time by their length. */
function interpolate({ text, start, end, avg_logprob }: Segment): Word[] {
  const words = text.trim().split(/\s+/).filter(Boolean);
  const total = words.reduce((sum, { length }) => sum + length, 0);
  let at = start;
  return words.map((word) => {
    const from = at;
    at += ((end - start) * word.length) / total;
    return { word, start: from, end: at, probability: Math.exp(avg_logprob) };
  });
}

function channelsOf({ segments }: Transcript): number {
  return new Set(segments.map(({ channel = 0 }) => channel)).size;
}

function bare(text: string): string {
  return text.replaceAll(/[^\p{L}\p{N}']/gu, "").toLowerCase();
}

function mean(words: readonly { confidence: number }[]): number {
  if (words.length === 0) return 0;
  return Math.round((words.reduce((sum, { confidence }) => sum + confidence, 0) / words.length) * 1e6) / 1e6;
}
