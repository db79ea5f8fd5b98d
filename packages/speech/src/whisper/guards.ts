import type { SpeechSegment, SpeechWord } from "../speech-events.ts";

/** A loop: so many tokens in all, and so many times the same. */
const LOOP_TOKENS = 24;
const LOOP_REPEATS = 4;
const LONGEST_PERIOD = 32;

/** Where a text that ends in a loop should be cut: behind the first round; undefined where it ends in none. */
export function findLoop(tokens: readonly number[]): number | undefined {
  for (let period = 1; period <= LONGEST_PERIOD; period++) {
    const needed = Math.max(LOOP_TOKENS, LOOP_REPEATS * period);
    if (needed > tokens.length) return undefined;
    let same = 0;
    while (
      same + period < tokens.length &&
      tokens[tokens.length - 1 - same] === tokens[tokens.length - 1 - same - period]
    ) {
      same++;
    }
    if (same + period >= needed) return tokens.length - same;
  }
  return undefined;
}

/** A segment counts as silent where less of it than this is speech. */
const LEAST_SPEECH = 0.1;
/** Small models place their text this far beside where it is said. */
const MISPLACED_SECONDS = 0.5;

/** Drops segments in which hardly any speech was found. `speechSeconds` says how much of a stretch is speech. */
export function dropSilent(
  segments: readonly SpeechSegment[],
  speechSeconds: (start: number, end: number) => number,
): SpeechSegment[] {
  return segments.filter(({ start, end }) => aboutSpoken(speechSeconds, start, end) >= LEAST_SPEECH * (end - start));
}

/** Words that a segment's plausibility is judged by. */
const JUDGED_WORDS = 8;
/** An implausible segment is believed where so much of it is speech. */
const DOUBTED_SPEECH = 0.2;
/** Silence on both sides that makes an implausible segment an invented one. */
const ISOLATION_SECONDS = 2;
const PUNCTUATION = /^[\p{P}\p{S}\s]+$/u;

/**
 * How implausible a word is: improbable, or said in no time or far too slowly. The figures are those of the
 * reference's rule for invented text in silence.
 */
function wordAnomaly({ start, end, probability }: SpeechWord): number {
  const length = end - start;
  let score = probability < 0.15 ? 1 : 0;
  if (length < 0.133) score += (0.133 - length) * 15;
  if (length > 2) score += length - 2;
  return score;
}

/** Whether a segment's first words are all, or in sum, implausible. Without words nothing is known. */
export function isAnomalous({ words = [] }: SpeechSegment): boolean {
  const judged = words.filter(({ word }) => !PUNCTUATION.test(word)).slice(0, JUDGED_WORDS);
  if (judged.length === 0) return false;
  const score = judged.reduce((sum, word) => sum + wordAnomaly(word), 0);
  return score >= 3 || score + 0.01 >= judged.length;
}

/**
 * Drops implausible segments where little was said: by voice activity (`speechSeconds` of a stretch) where it was looked
 * for, else where nothing plausible is near. `start` and `end` are the window's.
 */
export function dropAnomalies(
  segments: readonly SpeechSegment[],
  start: number,
  end: number,
  speechSeconds?: (start: number, end: number) => number,
): SpeechSegment[] {
  const anomalous = segments.map(isAnomalous);
  return segments.filter((segment, i) => {
    if (!anomalous[i]) return true;
    if (speechSeconds) {
      return aboutSpoken(speechSeconds, segment.start, segment.end) >= DOUBTED_SPEECH * (segment.end - segment.start);
    }
    const before = segments.slice(0, i).findLast((_, k) => !anomalous[k])?.end ?? start;
    const after = segments.find((_, k) => k > i && !anomalous[k])?.start ?? end;
    return segment.start - before < ISOLATION_SECONDS || after - segment.end < ISOLATION_SECONDS;
  });
}

function aboutSpoken(speechSeconds: (start: number, end: number) => number, start: number, end: number): number {
  return speechSeconds(start - MISPLACED_SECONDS, end + MISPLACED_SECONDS);
}
