import type { DiarizationTurn } from "../transcript.ts";

interface Span {
  start: number;
  end: number;
}

/** Shares that differ by less than this, in seconds, are equal. */
const TIE_SECONDS = 0.01;

/**
 * The speaker of each span (a word, or a segment without words): whose turns cover most of it. Where two cover the same,
 * the one who speaks in the neighbourhood; where nobody does, whoever speaks nearest in time. A single word within
 * somebody else's speech keeps its own speaker. Spans and turns are by time.
 */
export function findSpeakers(spans: readonly Span[], turns: readonly DiarizationTurn[]): string[] {
  const candidates = candidatesOf(spans, turns);
  const speakers = candidates.map((named) => (named.length === 1 ? named[0] : undefined));
  return candidates.map((named, i) => {
    const chosen = named.length === 1 ? named[0]! : chooseByNeighbours(named, speakers, i);
    speakers[i] = chosen;
    return chosen;
  });
}

function chooseByNeighbours(named: readonly string[], speakers: readonly (string | undefined)[], i: number): string {
  const before = speakers[i - 1];
  if (before !== undefined && named.includes(before)) return before;
  let next = i + 1;
  while (next < speakers.length && speakers[next] === undefined) next++;
  const after = speakers[next];
  return after !== undefined && named.includes(after) ? after : named[0]!;
}

/** Those who may have said each span: one, or several where their shares are equal. */
function candidatesOf(spans: readonly Span[], turns: readonly DiarizationTurn[]): string[][] {
  let first = 0;
  return spans.map(({ start, end }) => {
    // Turns by their beginning; those that end before this span are behind all that follow, but for the last one.
    while (first + 1 < turns.length && turns[first]!.end <= start && turns[first + 1]!.start <= start) first++;
    const shares = new Map<string, number>();
    for (let i = first; i < turns.length && turns[i]!.start < end; i++) {
      const { speaker, ...turn } = turns[i]!;
      const shared = Math.min(end, turn.end) - Math.max(start, turn.start);
      if (shared > 0) shares.set(speaker, (shares.get(speaker) ?? 0) + shared);
    }
    if (shares.size === 0) return nearest({ start, end }, turns, first);
    const most = Math.max(...shares.values());
    return [...shares].filter(([, share]) => share >= most - TIE_SECONDS).map(([speaker]) => speaker);
  });
}

/** Those whose turn is nearest: of the last that began before the span and the first after it. */
function nearest({ start, end }: Span, turns: readonly DiarizationTurn[], first: number): string[] {
  const around = turns.slice(Math.max(0, first - 1), first + 2);
  const gap = (turn: DiarizationTurn) => Math.max(turn.start - end, start - turn.end, 0);
  const least = Math.min(...around.map(gap));
  return [...new Set(around.filter((turn) => gap(turn) <= least + TIE_SECONDS).map(({ speaker }) => speaker))];
}
