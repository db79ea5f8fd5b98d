import type { Segment, Word } from "../transcript.ts";

export interface SubtitleOptions {
  maxCharsPerLine?: number | undefined;
  maxLines?: number | undefined;
  /** Whether cues name who speaks; only what has a speaker shows one. */
  speakers?: boolean | undefined;
}

export interface Cue {
  start: number;
  end: number;
  lines: string[];
  speaker: string | undefined;
}

/**
 * Segments as cues. Without bounds a segment is a cue; with them, text is broken at spaces into lines of at most
 * `maxCharsPerLine`, and a cue takes `maxLines` of them (2 where only the line is bounded). A cue that is part of a
 * segment takes its times from the words it holds, or from its share of the letters where there are no words.
 */
export function toCues(segments: readonly Segment[], options: SubtitleOptions): Cue[] {
  const cues: Cue[] = [];
  for (const segment of segments) {
    const text = onOneLine(segment.text);
    if (text === "") continue;
    const { maxCharsPerLine } = options;
    const speaker = options.speakers === false ? undefined : segment.speaker;
    if (maxCharsPerLine === undefined) {
      cues.push({ start: segment.start, end: segment.end, lines: [text], speaker });
      continue;
    }
    const pieces = text.split(/\s+/u);
    const times = pieceTimes(segment, pieces);
    const maxLines = options.maxLines ?? 2;
    let lines: string[] = [];
    let first = 0;
    let line = "";
    const flush = (last: number) => {
      cues.push({ start: times[first]!.start, end: times[last]!.end, lines, speaker });
      lines = [];
      first = last + 1;
    };
    for (const [index, piece] of pieces.entries()) {
      const longer = line === "" ? piece : `${line} ${piece}`;
      if (line !== "" && [...longer].length > maxCharsPerLine) {
        lines.push(line);
        line = piece;
        if (lines.length === maxLines) flush(index - 1);
      } else {
        line = longer;
      }
    }
    lines.push(line);
    flush(pieces.length - 1);
  }
  return cues;
}

/** A line break inside a text, an empty line above all, would end a cue early. */
export function onOneLine(text: string): string {
  return text.trim().replaceAll(/\s*[\r\n\u2028\u2029]+\s*/gu, " ");
}

/** When each piece of a segment's text is spoken: by its word where words and pieces agree, else by letters. */
function pieceTimes(segment: Segment, pieces: readonly string[]): { start: number; end: number }[] {
  const words = segment.words ?? [];
  if (words.length === pieces.length && words.every((word, i) => word.word.trim() === pieces[i])) {
    return words.map(({ start, end }: Word) => ({ start, end }));
  }
  const letters = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const secondsPerLetter = (segment.end - segment.start) / Math.max(1, letters);
  let at = segment.start;
  return pieces.map((piece) => {
    const start = at;
    at += piece.length * secondsPerLetter;
    return { start, end: at };
  });
}
