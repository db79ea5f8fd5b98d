import { roundSeconds, type Segment, type Word } from "./transcript.ts";

/** Another text for a span of a segment's text, in UTF-16 units, end exclusive. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

type Rewritable = Pick<Segment, "start" | "end" | "text"> & { words?: Word[] };

/**
 * A segment with other text in places. Words follow: those that an edit touches make way for the new ones, which
 * share their time. Words that do not say what the text says are made anew from it, so that nothing of the old text is
 * left in them. `edits` are in order and do not overlap.
 */
export function rewriteSegment<T extends Rewritable>(segment: T, edits: readonly Edit[]): T {
  if (edits.length === 0) return segment;
  const text = applyEdits(segment.text, edits, 0, segment.text.length);
  if (segment.words === undefined) return { ...segment, text };
  const places = placeWords(segment.text, segment.words);
  const words = places === null ? spreadOver(text, segment) : rewriteWords(segment.text, segment.words, places, edits);
  return { ...segment, text, words };
}

function applyEdits(text: string, edits: readonly Edit[], from: number, to: number): string {
  let [result, at] = ["", from];
  for (const edit of edits) {
    if (edit.end <= from || edit.start >= to) continue;
    result += text.slice(at, Math.max(at, edit.start)) + edit.text;
    at = edit.end;
  }
  return result + text.slice(at, Math.max(at, to));
}

interface Place {
  start: number;
  end: number;
}

/** Where each word stands in the text; null where text and words say different things. */
function placeWords(text: string, words: readonly Word[]): Place[] | null {
  const places: Place[] = [];
  let at = 0;
  for (const { word } of words) {
    const bare = word.trim();
    while (at < text.length && /\s/.test(text[at]!)) at += 1;
    if (!text.startsWith(bare, at)) return null;
    places.push({ start: at, end: at + bare.length });
    at += bare.length;
  }
  return text.slice(at).trim() === "" ? places : null;
}

function rewriteWords(text: string, words: readonly Word[], places: readonly Place[], edits: readonly Edit[]): Word[] {
  const result: Word[] = [];
  for (let at = 0; at < words.length; ) {
    const touched = edits.filter(({ start, end }) => start < places[at]!.end && end > places[at]!.start);
    if (touched.length === 0) {
      result.push(words[at]!);
      at += 1;
      continue;
    }
    let last = at;
    // Edits and words may overlap in a chain: all of it is one piece.
    for (let grown = true; grown; ) {
      grown = false;
      for (const edit of edits) {
        const reaches = edit.start < places[last]!.end && edit.end > places[at]!.start;
        if (reaches && !touched.includes(edit)) touched.push(edit);
      }
      while (last + 1 < words.length && touched.some(({ end }) => end > places[last + 1]!.start)) {
        last += 1;
        grown = true;
      }
    }
    const old = words.slice(at, last + 1);
    const said = applyEdits(text, touched, places[at]!.start, places[last]!.end);
    result.push(...spread(said, old));
    at = last + 1;
  }
  return result;
}

/** Words of a text over the time of others, by their length; they are as probable as the least of those. */
function spread(text: string, old: readonly Word[]): Word[] {
  const [first, last] = [old[0]!, old.at(-1)!];
  const leading = /^\s*/.exec(first.word)![0];
  const probability = Math.min(...old.map((word) => word.probability));
  const times = timeOver(text, first.start, last.end);
  return times.map(({ word, start, end }, i) => ({
    word: i === 0 ? leading + word : (leading === "" ? "" : " ") + word,
    start,
    end,
    probability,
    ...(first.speaker === undefined ? {} : { speaker: first.speaker }),
  }));
}

function spreadOver(text: string, { start, end, words = [] }: Rewritable): Word[] {
  const probability = words.length === 0 ? 0 : Math.min(...words.map((word) => word.probability));
  const spaced = words[0]?.word.startsWith(" ") ?? false;
  return timeOver(text, start, end).map((timed) => ({
    ...timed,
    word: spaced ? ` ${timed.word}` : timed.word,
    probability,
  }));
}

function timeOver(text: string, start: number, end: number): Pick<Word, "word" | "start" | "end">[] {
  const words = text
    .trim()
    .split(/\s+/)
    .filter((word) => word !== "");
  const whole = words.reduce((sum, word) => sum + word.length, 0) || 1;
  let passed = 0;
  const at = (share: number) => roundSeconds(start + (end - start) * (share / whole));
  return words.map((word) => {
    const begins = at(passed);
    passed += word.length;
    return { word, start: begins, end: at(passed) };
  });
}
