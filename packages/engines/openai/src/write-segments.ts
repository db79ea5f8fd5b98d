import { deflateSync } from "node:zlib";
import { type EngineSegment, spellWords, type TranscriptionOptions } from "@scribe/domain";
import type { Answer } from "./answer.ts";

/** A part of the recording, in seconds of the whole. */
export interface Part {
  start: number;
  end: number;
}

export interface WrittenPart {
  segments: EngineSegment[];
  wordsMethod: "provider" | "interpolated" | null;
}

/**
 * An answer about a part as segments of the whole: times moved to where the part begins, and held within it. Words have
 * the probability that the answer gives them, or their segment; 1 where it gives none.
 */
export function writeSegments(answer: Answer, part: Part, options: TranscriptionOptions): WrittenPart {
  const wantsWords = options.word_timestamps ?? true;
  const given = (answer.segments ?? []).filter(({ text }) => text.trim() !== "");
  const spoken = given.length > 0 ? given : wholePart(answer, part);
  const moved = spoken.map((segment) => ({ ...segment, ...move(segment, part) }));
  const timed = (answer.words ?? []).map((word) => ({
    text: word.word,
    probability: word.probability ?? null,
    ...move(word, part),
  }));
  const interpolated = timed.length === 0;
  const words = interpolated
    ? moved.map((segment) => interpolate(segment, answer.logprobs))
    : spellWords(
        moved.map(({ text }) => text),
        timed,
      ).map(({ words }) => words);

  const segments = moved.map((segment, i): EngineSegment => {
    const { start, end, text } = segment;
    const known = (words[i] ?? []).flatMap(({ probability }) => (probability === null ? [] : [probability]));
    const logprob = segment.avg_logprob ?? meanLog(known) ?? 0;
    const figures = {
      avg_logprob: logprob,
      no_speech_prob: segment.no_speech_prob ?? 0,
      compression_ratio: segment.compression_ratio ?? compressionRatio(text),
      temperature: segment.temperature ?? (typeof options.temperature === "number" ? options.temperature : 0),
    };
    const probable = Math.min(1, Math.exp(logprob));
    return {
      ...{ start, end, text, ...figures },
      ...(wantsWords
        ? { words: (words[i] ?? []).map((word) => ({ ...word, probability: word.probability ?? probable })) }
        : {}),
      ...(options.extra_data ? { extra_data: { tokens: segment.tokens ?? [], ...figures } } : {}),
    };
  });
  const any = wantsWords && segments.some(({ words }) => words && words.length > 0);
  return { segments, wordsMethod: any ? (interpolated ? "interpolated" : "provider") : null };
}

type Given = NonNullable<Answer["segments"]>[number];

/** Text without times. */
function wholePart({ text }: Answer, { start, end }: Part): Given[] {
  return text.trim() === "" ? [] : [{ start: 0, end: end - start, text }];
}

function move({ start, end }: { start: number; end: number }, part: Part): { start: number; end: number } {
  const held = (seconds: number) => Math.min(part.end, Math.max(part.start, part.start + seconds));
  return { start: held(start), end: Math.max(held(start), held(end)) };
}

/** Words over the time of their text by their length, where nobody timed them. */
function interpolate({ text, start, end }: Given, logprobs: Answer["logprobs"]) {
  const pieces = text.match(/\s*\S+/g) ?? [];
  const probabilities = wordProbabilities(pieces, logprobs);
  const perCharacter = (end - start) / Math.max(1, text.length);
  let at = 0;
  return pieces.map((word, i) => {
    const from = start + at * perCharacter;
    at += word.length;
    return { word, start: from, end: start + at * perCharacter, probability: probabilities[i] ?? null };
  });
}

/** Tokens, joined, are the text: each counts for the word in which it begins. */
function wordProbabilities(pieces: readonly string[], logprobs: Answer["logprobs"]): (number | null)[] {
  if (!logprobs || logprobs.length === 0) return pieces.map(() => null);
  const sums = pieces.map(() => ({ sum: 0, count: 0 }));
  let [word, left] = [0, pieces[0]?.length ?? 0];
  for (const { token, logprob } of logprobs) {
    const length = token?.length ?? 0;
    while (left <= 0 && word < pieces.length - 1) left += pieces[++word]!.length;
    const sum = sums[word];
    if (sum && typeof logprob === "number") {
      sum.sum += logprob;
      sum.count += 1;
    }
    left -= length;
  }
  return sums.map(({ sum, count }) => (count === 0 ? null : Math.min(1, Math.exp(sum / count))));
}

function meanLog(probabilities: readonly number[]): number | null {
  if (probabilities.length === 0) return null;
  return probabilities.reduce((sum, p) => sum + Math.log(Math.max(p, 1e-6)), 0) / probabilities.length;
}

/** As Whisper has it: how much shorter the text becomes; loops become short. */
function compressionRatio(text: string): number {
  const bytes = Buffer.from(text);
  return bytes.length === 0 ? 0 : bytes.length / deflateSync(bytes).length;
}
