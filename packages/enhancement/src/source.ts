import type { Transcript, Word } from "@scribe/domain";

/** A sentence or segment, numbered from 0. Times are seconds; null where the text has none. */
export interface SourceLine {
  text: string;
  start: number | null;
  end: number | null;
  speaker?: string | undefined;
  words?: readonly Word[] | undefined;
}

export interface Source {
  lines: readonly SourceLine[];
  /** Seconds of audio; null where there was none. */
  duration: number | null;
}

/** A line must fit where the model's context is small. */
const MAX_LINE_CHARS = 600;

export function sourceOfTranscript({ segments, duration }: Pick<Transcript, "segments" | "duration">): Source {
  const lines = segments
    .filter(({ text }) => text.trim() !== "")
    .map(({ text, start, end, speaker, words }) => ({ text: text.trim(), start, end, speaker, words }));
  return { lines, duration };
}

/** A text without times, cut at the ends of its sentences. */
export function sourceOfText(text: string): Source {
  const lines = text
    .split(/\r?\n+|(?<=[.!?。！？])\s+/u)
    .flatMap(cutLong)
    .map((line) => ({ text: line.trim(), start: null, end: null }))
    .filter((line) => line.text !== "");
  return { lines, duration: null };
}

function cutLong(line: string): string[] {
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > MAX_LINE_CHARS) {
    const space = rest.lastIndexOf(" ", MAX_LINE_CHARS);
    let at = space > MAX_LINE_CHARS / 2 ? space : MAX_LINE_CHARS;
    // Never between the halves of a surrogate pair.
    if (/[\ud800-\udbff]/.test(rest.charAt(at - 1))) at -= 1;
    pieces.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...pieces, rest];
}
