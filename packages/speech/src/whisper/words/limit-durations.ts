import type { WordTiming } from "./find-alignment.ts";

const SENTENCE_END = ".。!！?？";

/** The usual length of a word in a window, and the most that one may plausibly take, in seconds. */
export type WordLengths = { median: number; maximum: number };

/** Lengths of words that have one; the median is held to 0.7 s, so that pauses do not count as slow speech. */
export function wordLengths(words: readonly WordTiming[]): WordLengths {
  const lengths = words.map(({ start, end }) => end - start).filter((length) => length > 0);
  lengths.sort((a, b) => a - b);
  const half = lengths.length >> 1;
  const middle =
    lengths.length === 0 ? 0 : lengths.length % 2 ? lengths[half] : (lengths[half - 1] + lengths[half]) / 2;
  const median = Math.min(0.7, middle);
  return { median, maximum: 2 * median };
}

/** Shortens what is too long at the end of a sentence: there the alignment takes the pause for part of a word. */
export function limitDurations(words: readonly WordTiming[], { maximum }: WordLengths): WordTiming[] {
  return words.map((word, i) => {
    if (i === 0 || word.end - word.start <= maximum) return word;
    if (SENTENCE_END.includes(word.word)) return { ...word, end: word.start + maximum };
    if (SENTENCE_END.includes(words[i - 1].word)) return { ...word, start: word.end - maximum };
    return word;
  });
}
