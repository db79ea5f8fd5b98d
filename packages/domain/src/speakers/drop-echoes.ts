import type { Segment, Word } from "../transcript.ts";

/** Whether `channel` is much quieter than `other` between two times, in seconds. */
export type IsDrowned = (channel: number, other: number, start: number, end: number) => boolean;

/** A word and its echo are not heard at the very same time: word times are uncertain. */
const NEAR_SECONDS = 0.5;
/** Where so many of a segment's words are echoes, the others are echoes that were misheard. */
const ECHO_SHARE = 0.5;

type Heard = { text: string; start: number; end: number; channel: number };

/**
 * Leaves out what a channel only holds because another leaks into it: the same word at the same time, where the other is
 * much louder. Two who say the same at once, each as loud, are both kept.
 */
export function dropEchoes(segments: readonly Segment[], isDrowned: IsDrowned): Segment[] {
  const heard = segments.flatMap(wordsOf).sort((a, b) => a.start - b.start);
  const isEcho = (spoken: Heard) =>
    around(heard, spoken.start).some(
      (other) =>
        other.channel !== spoken.channel &&
        other.text === spoken.text &&
        isDrowned(spoken.channel, other.channel, spoken.start, spoken.end),
    );
  return segments.flatMap((segment) => {
    const words = wordsOf(segment);
    const echoes = words.map((word) => word.text !== "" && isEcho(word));
    const count = echoes.filter(Boolean).length;
    if (count === 0) return [segment];
    const kept = (segment.words ?? []).filter((_, i) => !echoes[i]);
    if (count >= ECHO_SHARE * words.length || kept.length === 0) return [];
    return [{ ...segment, words: kept, text: kept.map(({ word }) => word).join("") }];
  });
}

/** A segment without words is one long word. */
function wordsOf({ channel = 0, words, text, start, end }: Segment): Heard[] {
  if (words?.length) return words.map((word: Word) => ({ ...word, channel, text: plain(word.word) }));
  return [{ text: plain(text), start, end, channel }];
}

const plain = (text: string) =>
  text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, " ")
    .trim();

/** Those of `heard`, which is by start, that begin near a time. */
function around(heard: readonly Heard[], time: number): Heard[] {
  let [low, high] = [0, heard.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (heard[middle]!.start < time - NEAR_SECONDS) low = middle + 1;
    else high = middle;
  }
  const near: Heard[] = [];
  for (let i = low; i < heard.length && heard[i]!.start <= time + NEAR_SECONDS; i++) near.push(heard[i]!);
  return near;
}
