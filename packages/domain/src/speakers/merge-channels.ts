import type { DiarizationTurn, Segment, Word } from "../transcript.ts";
import { cutSegment } from "./cut-segment.ts";
import { dropEchoes, type IsDrowned } from "./drop-echoes.ts";

/** Pauses of a speaker up to this, in seconds, are part of a turn. */
const CLOSED_PAUSE = 0.8;

/** Channels are speakers in the order of the recording, also where one of them says nothing. */
export const speakerOfChannel = (channel: number): string => `SPEAKER_${String(channel).padStart(2, "0")}`;

/**
 * One conversation of what was heard in each channel: by time, with new ids. What leaked from one channel into another
 * stays with the one where it is louder, and a segment is cut where somebody else speaks in a pause of it.
 *
 * @param segments those of each channel by time; each has its `channel`
 */
export function mergeChannels(segments: readonly Segment[], isDrowned: IsDrowned): Segment[] {
  const heard = dropEchoes(segments, isDrowned);
  const middles = new Map<number, number[]>();
  for (const segment of heard) {
    const spans = segment.words?.length ? segment.words : [segment];
    for (const { start, end } of spans) pushTo(middles, segment.channel ?? 0, (start + end) / 2);
  }
  for (const times of middles.values()) times.sort((a, b) => a - b);
  const others = (channel: number, from: number, to: number) =>
    [...middles].some(([other, times]) => other !== channel && holdsOneBetween(times, from, to));
  return heard
    .flatMap((segment) => cutAtPauses(segment, (from, to) => others(segment.channel ?? 0, from, to)))
    .sort((a, b) => a.start - b.start || (a.channel ?? 0) - (b.channel ?? 0))
    .map((segment, id) => ({ ...segment, id }));
}

/** When each of them speaks, by what was heard of them; turns of different speakers may overlap. */
export function turnsOfSegments(segments: readonly Segment[]): DiarizationTurn[] {
  const open = new Map<string, DiarizationTurn>();
  const turns: DiarizationTurn[] = [];
  for (const { speaker, start, end, words } of segments) {
    if (speaker === undefined) continue;
    for (const span of words?.length ? words : [{ start, end }]) {
      const turn = open.get(speaker);
      if (turn && span.start - turn.end <= CLOSED_PAUSE) turn.end = Math.max(turn.end, span.end);
      else {
        const next = { start: span.start, end: span.end, speaker };
        open.set(speaker, next);
        turns.push(next);
      }
    }
  }
  return turns.sort((a, b) => a.start - b.start || a.end - b.end);
}

function cutAtPauses(segment: Segment, othersSpeak: (from: number, to: number) => boolean): Segment[] {
  const groups: Word[][] = [];
  for (const word of segment.words ?? []) {
    const before = groups.at(-1)?.at(-1);
    if (before && !othersSpeak(before.end, word.start)) groups.at(-1)!.push(word);
    else groups.push([word]);
  }
  return groups.length > 1 ? cutSegment(segment, groups) : [segment];
}

/** Whether sorted `times` hold one after `from` and before `to`. */
function holdsOneBetween(times: readonly number[], from: number, to: number): boolean {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= from) low = middle + 1;
    else high = middle;
  }
  return low < times.length && times[low]! < to;
}

function pushTo(lists: Map<number, number[]>, key: number, value: number): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}
