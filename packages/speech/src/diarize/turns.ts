/** A stretch of a recording, in seconds. */
export type Span = { start: number; end: number };

/** Someone speaks: speakers are numbers that mean nothing but themselves. */
export type SpeakerTurn = Span & { speaker: number };

/** How many speakers there may be. */
export type SpeakerBounds = { minSpeakers: number; maxSpeakers: number };

/** Samples of a recording in −1…1, at 16 kHz, read by ranges, to the beginning of `into` where given; fewer where it ends. */
export type SampleSource = {
  readonly sampleCount: number;
  read(start: number, count: number, into?: Float32Array): Promise<Float32Array>;
};

/**
 * Turns by time with their speakers numbered by first appearance; pauses of a speaker up to `maximumPause` seconds are
 * closed where nobody else begins in between.
 */
export function orderTurns(turns: readonly SpeakerTurn[], maximumPause: number): SpeakerTurn[] {
  const byTime = [...turns].sort((a, b) => a.start - b.start || a.end - b.end);
  const numbers = new Map<number, number>();
  const last = new Map<number, SpeakerTurn>();
  const out: SpeakerTurn[] = [];
  for (const { start, end, speaker: found } of byTime) {
    if (!numbers.has(found)) numbers.set(found, numbers.size);
    const speaker = numbers.get(found)!;
    const before = last.get(speaker);
    const alone = before && (before === out.at(-1) || start <= before.end);
    if (before && alone && start - before.end <= maximumPause) {
      before.end = Math.max(before.end, end);
    } else {
      const turn = { start, end, speaker };
      last.set(speaker, turn);
      out.push(turn);
    }
  }
  return out;
}

/** `SPEAKER_00` and so on. */
export const speakerLabel = (speaker: number): string => `SPEAKER_${String(speaker).padStart(2, "0")}`;
