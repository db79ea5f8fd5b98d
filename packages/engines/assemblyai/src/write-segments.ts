import { deflateSync } from "node:zlib";
import type { EngineSegment, Word } from "@scribe/domain";
import type { GivenTranscript, GivenWord } from "./transcript.ts";

/** What was sent, in seconds of the whole. */
export interface Part {
  start: number;
  end: number;
}

const SENTENCE_END = /[.?!…。？！]["'”’»)]?$/u;

/** A pause after which something new is said; and how long a segment may be, as subtitles and readers like it. */
const PAUSE_MS = 1500;
const LONGEST_MS = 30_000;

/**
 * A transcript's words as segments: a sentence each, ended early by a long pause, another speaker, or length. Times are
 * moved to where the part that was sent begins. Its confidences are the words' probabilities.
 */
export function writeSegments(given: GivenTranscript, part: Part, wantsWords: boolean): EngineSegment[] {
  return groupWords(given.words ?? []).map((group) => {
    const words = group.map((word, i): Word => {
      // Scripts without blanks come as one-letter words; a blank before each would be wrong.
      const blank = i > 0 && isUnspaced(word.text) && isUnspaced(group[i - 1]!.text) ? "" : " ";
      const { start, end } = toSeconds(word, part);
      return { word: blank + word.text, start, end, probability: word.confidence };
    });
    const text = words.map(({ word }) => word).join("");
    const logs = group.map(({ confidence }) => Math.log(Math.max(confidence, 1e-6)));
    const bytes = Buffer.from(text);
    return {
      start: words[0]!.start,
      end: words.at(-1)!.end,
      text,
      avg_logprob: logs.reduce((sum, log) => sum + log, 0) / logs.length,
      no_speech_prob: 0,
      compression_ratio: bytes.length / deflateSync(bytes).length,
      temperature: 0,
      ...(wantsWords ? { words } : {}),
    };
  });
}

/** Milliseconds of the part as seconds of the whole, held within the part. */
export function toSeconds({ start, end }: { start: number; end: number }, part: Part): Part {
  const held = (ms: number) => Math.min(part.end, Math.max(part.start, part.start + ms / 1000));
  return { start: held(start), end: Math.max(held(start), held(end)) };
}

function groupWords(words: readonly GivenWord[]): GivenWord[][] {
  const groups: GivenWord[][] = [];
  let group: GivenWord[] = [];
  for (const word of words) {
    const last = group.at(-1);
    if (last && endsAfter(last, word, group[0]!)) {
      groups.push(group);
      group = [];
    }
    group.push(word);
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function endsAfter(last: GivenWord, next: GivenWord, first: GivenWord): boolean {
  if (SENTENCE_END.test(last.text) || (last.speaker ?? null) !== (next.speaker ?? null)) return true;
  return next.start - last.end > PAUSE_MS || next.end - first.start > LONGEST_MS;
}

const UNSPACED = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

function isUnspaced(text: string): boolean {
  return UNSPACED.test(text);
}
