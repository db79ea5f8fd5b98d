import type { SpeechSegment, SpeechWord } from "../../speech-events.ts";
import { figure, milliseconds } from "../place-segments.ts";
import type { WordTiming } from "./find-alignment.ts";
import type { WordLengths } from "./limit-durations.ts";
import { spreadWords } from "./spread-words.ts";

/** A pause of more than this many usual words makes the first word behind it suspect of containing the pause. */
const WORDS_IN_A_PAUSE = 4;
/** Where a word and its segment disagree by more than this, the segment is believed. */
export const DISAGREEMENT_SECONDS = 0.5;

/** No voice says words faster than this, on average. */
const SHORTEST_WORD_SECONDS = 0.04;

type Span = { start: number; end: number };

/**
 * Gives each segment of a window its words (`words[i]` are those of segment `i`, with times in seconds of the file) and fits both to each other as Whisper's
 * published code does; then nothing overlaps, and no word lies outside its segment. `lastSpeech` is where the last word
 * before this window ended.
 */
export function attachWords(
  segments: readonly SpeechSegment[],
  words: readonly (readonly WordTiming[])[],
  lengths: WordLengths,
  lastSpeech: number,
): { segments: SpeechSegment[]; lastSpeech: number } {
  let spoken = lastSpeech;
  const withWords = segments.map((segment, i) => {
    let own = words[i].map((word) => ({ ...word }));
    // Words that nobody can say so fast were not found: their segment's own times are the better ones.
    const found = own.length === 0 || own[own.length - 1].end - own[0].start >= own.length * SHORTEST_WORD_SECONDS;
    if (!found) own = spreadWords(own, segment.start, segment.end);
    const span = own.length === 0 ? segment : fitToSegment(segment, own, lengths, spoken);
    const start = Math.max(span.start, spoken);
    const end = Math.max(span.end, start);
    spoken = end;
    return { ...segment, start: milliseconds(start), end: milliseconds(end), words: inOrder(own, start, end) };
  });
  return { segments: withWords, lastSpeech: milliseconds(spoken) };
}

/** Adjusts the first and last words, in place, and answers where the segment begins and ends after that. */
function fitToSegment(segment: Span, words: WordTiming[], { median, maximum }: WordLengths, lastSpeech: number): Span {
  const first = words[0];
  const second = words.at(1);
  const afterPause = first.end - lastSpeech > median * WORDS_IN_A_PAUSE;
  const tooLong = first.end - first.start > maximum || (second && second.end - first.start > maximum * 2);
  if (afterPause && tooLong) {
    if (second && second.end - second.start > maximum) {
      first.end = Math.max(second.end / 2, second.end - maximum);
      second.start = first.end;
    }
    first.start = Math.max(0, first.end - maximum);
  }
  let { start, end } = segment;
  if (start < first.end && start - DISAGREEMENT_SECONDS > first.start) {
    first.start = Math.max(0, Math.min(first.end - median, start));
  } else {
    start = first.start;
  }
  const last = words[words.length - 1];
  if (end > last.start && end + DISAGREEMENT_SECONDS < last.end) last.end = Math.max(last.start + median, end);
  else end = last.end;
  return { start, end };
}

/** Words as they are given out: inside `start`…`end`, none before the one before it has ended. */
function inOrder(words: readonly WordTiming[], start: number, end: number): SpeechWord[] {
  let earliest = start;
  return words.map((word) => {
    const from = Math.min(end, Math.max(word.start, earliest));
    earliest = Math.min(end, Math.max(word.end, from));
    return {
      word: word.word,
      start: milliseconds(from),
      end: milliseconds(earliest),
      probability: figure(word.probability),
    };
  });
}
