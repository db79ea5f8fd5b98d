import type { Segment, Word } from "../transcript.ts";
import { roundSeconds } from "../transcript.ts";

/**
 * A segment in pieces, each with its group of the segment's words. Pieces keep the figures of the segment that they were
 * decoded in; between two lies the border of their words, and the outer ends stay the segment's.
 */
export function cutSegment<T extends Word>(segment: Segment, groups: readonly (readonly T[])[]): Segment[] {
  if (groups.length === 1) return [{ ...segment, words: [...groups[0]!] }];
  // What was heard before a lexicon changed it is of the whole segment.
  const { original_text: _original, ...same } = segment;
  return groups.map((group, i) => ({
    ...same,
    start: i === 0 ? segment.start : roundSeconds(group[0]!.start),
    end: i === groups.length - 1 ? segment.end : roundSeconds(group.at(-1)!.end),
    text: group.map(({ word }) => word).join(""),
    words: [...group],
  }));
}
