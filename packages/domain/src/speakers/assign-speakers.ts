import type { DiarizationTurn, Segment, Word } from "../transcript.ts";
import { cutSegment } from "./cut-segment.ts";
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
  return cutSegment(segment, groups).map((piece, i) => ({ ...piece, speaker: groups[i]![0]!.speaker }));
}
