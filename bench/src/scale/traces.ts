/** A recording that is submitted: when, and how long it is, both in seconds. */
export interface Submission {
  atSeconds: number;
  audioSeconds: number;
}

export interface Trace {
  name: string;
  submissions: Submission[];
  /** A machine is taken away each so many seconds. */
  lossEverySeconds?: number;
}

const HOUR = 3600;

/** What people submit in three loads, made from a seed. */
export function makeTraces(): Trace[] {
  const day = makeDay(random(1));
  return [
    { name: "a day: 60 to 900 files an hour", submissions: day },
    { name: "the day, a GPU lost every 10 min", submissions: day, lossEverySeconds: 600 },
    { name: "10,000 files at once, from zero", submissions: makeBurst(random(2)) },
  ];
}

/** Quiet nights and a peak in the afternoon; mostly calls of minutes, now and then a meeting of hours. */
function makeDay(next: () => number): Submission[] {
  const submissions: Submission[] = [];
  for (let at = 0; at < 24 * HOUR; ) {
    const perHour = 60 + 840 * Math.max(0, Math.sin(((at / HOUR - 7) / 14) * Math.PI)) ** 2;
    at += (-Math.log(1 - next()) * HOUR) / perHour;
    const isMeeting = next() < 0.08;
    submissions.push({
      atSeconds: at,
      audioSeconds: isMeeting ? HOUR * (0.5 + 2 * next()) : logNormal(next, 240, 0.8),
    });
  }
  return submissions;
}

function makeBurst(next: () => number): Submission[] {
  return Array.from({ length: 10_000 }, () => ({ atSeconds: 600, audioSeconds: logNormal(next, 300, 0.8) }));
}

function logNormal(next: () => number, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return Math.min(10 * HOUR, Math.max(5, median * Math.exp(sigma * normal)));
}

/** Mulberry32: the same numbers from the same seed. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
