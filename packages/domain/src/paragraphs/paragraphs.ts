import type { Segment } from "../transcript.ts";

/** Offsets in seconds. */
export interface Paragraph {
  start: number;
  end: number;
  speaker?: string;
  text: string;
  /** Ids of the first and the last segment. */
  first_segment: number;
  last_segment: number;
}

/** A pause, in seconds, after which something new is said. */
const LONG_PAUSE = 2;

/** From so many words on, the next end of a sentence ends the paragraph; and beyond the second figure any segment does. */
const ENOUGH_WORDS = 80;
const TOO_MANY_WORDS = 200;

/** Ends of sentences in the scripts that have them, with what may close behind them. */
const SENTENCE_END = /[.!?…。！？؟।]["'”’»)\]]*$/u;

/** Segments in paragraphs: a new one where the speaker changes, after a long pause, and where one grows long. */
export function toParagraphs(segments: readonly Segment[]): Paragraph[] {
  const paragraphs: Paragraph[] = [];
  let words = 0;
  for (const { id, start, end, text: raw, speaker } of segments) {
    const text = raw.trim();
    if (text === "") continue;
    const last = paragraphs.at(-1);
    const goesOn =
      last !== undefined &&
      last.speaker === speaker &&
      start - last.end < LONG_PAUSE &&
      words < TOO_MANY_WORDS &&
      !(words >= ENOUGH_WORDS && SENTENCE_END.test(last.text));
    if (goesOn) {
      last.text += ` ${text}`;
      last.end = Math.max(last.end, end);
      last.last_segment = id;
    } else {
      paragraphs.push({
        ...{ start, end },
        ...(speaker === undefined ? {} : { speaker }),
        ...{ text, first_segment: id, last_segment: id },
      });
      words = 0;
    }
    words += text.split(/\s+/).length;
  }
  return paragraphs;
}
