import type { DiarizationTurn, Segment, Word } from "../transcript.ts";
import { roundSeconds } from "../transcript.ts";
import { findSpeakers } from "./find-speakers.ts";

/**
 * Gives every word and segment its speaker, and splits segments where the speaker changes; ids are given anew. Turns are
 * by time, one speaker at a time. Pieces keep the figures of the segment that they were decoded in.
 */
export function assignSpeakers(segments: readonly Segment[], turns: readonly DiarizationTurn[]): Segment[] {
  if (turns.length === 0) return [...segments];
  const spoken = segments.flatMap(({ start, end, words }) => (words?.length ? words : [{ start, end }]));
  const speakers = findSpeakers(spoken, turns);
  let next = 0;
  const pieces = segments.flatMap((segment) => {
    const { words } = segment;
    if (!words?.length) return [{ ...segment, speaker: speakers[next++]! }];
    const labelled = words.map((word) => ({ ...word, speaker: speakers[next++]! }));
    return splitBySpeaker(segment, labelled);
  });
  return pieces.map((piece, id) => ({ ...piece, id }));
}

type SpokenWord = Word & { speaker: string };

function splitBySpeaker(segment: Segment, words: readonly SpokenWord[]): Segment[] {
  const groups: SpokenWord[][] = [];
  for (const word of words) {
    const group = groups.at(-1);
    if (group?.[0]?.speaker === word.speaker) group.push(word);
    else groups.push([word]);
  }
  if (groups.length === 1) return [{ ...segment, speaker: words[0]!.speaker, words: [...words] }];
  return groups.map((group, i) => ({
    ...segment,
    // Between two pieces lies the border of their words; the outer ends stay the segment's.
    start: i === 0 ? segment.start : roundSeconds(group[0]!.start),
    end: i === groups.length - 1 ? segment.end : roundSeconds(group.at(-1)!.end),
    text: group.map(({ word }) => word).join(""),
    speaker: group[0]!.speaker,
    words: group,
  }));
}
