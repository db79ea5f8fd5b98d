import { assignLargest } from "./assign-largest.ts";

/** Who speaks when, in seconds. */
export interface Turn {
  start: number;
  end: number;
  speaker: string;
}

/** Seconds of speech, each speaker counted; the error rate is their sum over `scored`. */
export interface DiarizationScore {
  scored: number;
  missed: number;
  falseAlarm: number;
  confusion: number;
}

export const errorRate = ({ scored, missed, falseAlarm, confusion }: DiarizationScore): number =>
  scored > 0 ? (missed + falseAlarm + confusion) / scored : missed + falseAlarm + confusion > 0 ? 1 : 0;

export function addScores(scores: readonly DiarizationScore[]): DiarizationScore {
  const sum = { scored: 0, missed: 0, falseAlarm: 0, confusion: 0 };
  for (const score of scores) for (const key of Object.keys(sum) as (keyof DiarizationScore)[]) sum[key] += score[key];
  return sum;
}

/**
 * Diarization error as NIST's md-eval counts it: speakers mapped one to one so that most time agrees, over all of the
 * scored span (first to last reference turn unless `span` is given); then missed, false and confused speaker time outside
 * of the collar about each reference boundary.
 */
export function scoreDiarization(
  reference: readonly Turn[],
  hypothesis: readonly Turn[],
  { collar = 0, span }: { collar?: number; span?: readonly [number, number] } = {},
): DiarizationScore {
  const [from, to] = span ?? [
    Math.min(...reference.map(({ start }) => start)),
    Math.max(...reference.map(({ end }) => end)),
  ];
  const near = reference.flatMap(({ start, end }) => [start, end]);
  const cuts = [from, to, ...near, ...hypothesis.flatMap(({ start, end }) => [start, end])];
  if (collar > 0) for (const time of near) cuts.push(time - collar, time + collar);
  const times = [...new Set(cuts.filter((time) => time >= from && time <= to))].sort((a, b) => a - b);
  const pieces = times.slice(0, -1).map((start, i) => {
    const middle = (start + times[i + 1]!) / 2;
    return {
      seconds: times[i + 1]! - start,
      reference: speakersAt(reference, middle),
      hypothesis: speakersAt(hypothesis, middle),
      counted: collar === 0 || !near.some((time) => Math.abs(time - middle) < collar),
    };
  });
  const mapped = mapSpeakers(reference, hypothesis, pieces);
  const score = { scored: 0, missed: 0, falseAlarm: 0, confusion: 0 };
  for (const { seconds, reference: said, hypothesis: found, counted } of pieces) {
    if (!counted) continue;
    const right = [...said].filter((speaker) => found.has(mapped.get(speaker) ?? "")).length;
    score.scored += seconds * said.size;
    score.missed += seconds * Math.max(0, said.size - found.size);
    score.falseAlarm += seconds * Math.max(0, found.size - said.size);
    score.confusion += seconds * (Math.min(said.size, found.size) - right);
  }
  return score;
}

const speakersAt = (turns: readonly Turn[], time: number) =>
  new Set(turns.filter(({ start, end }) => start <= time && time < end).map(({ speaker }) => speaker));

type Piece = { seconds: number; reference: Set<string>; hypothesis: Set<string> };

function mapSpeakers(reference: readonly Turn[], hypothesis: readonly Turn[], pieces: readonly Piece[]) {
  const said = [...new Set(reference.map(({ speaker }) => speaker))];
  const found = [...new Set(hypothesis.map(({ speaker }) => speaker))];
  const shared = said.map((a) =>
    found.map((b) =>
      pieces.reduce((sum, piece) => (piece.reference.has(a) && piece.hypothesis.has(b) ? sum + piece.seconds : sum), 0),
    ),
  );
  const chosen = assignLargest(shared);
  return new Map(
    said.flatMap((speaker, i) =>
      chosen[i]! >= 0 && shared[i]![chosen[i]!]! > 0 ? [[speaker, found[chosen[i]!]!] as const] : [],
    ),
  );
}
