import type { SpeakerTurn } from "../turns.ts";
import { firstFrameOf, frameMiddle, frameTotal, LOCAL_SPEAKERS, WINDOW_FRAMES } from "./frames.ts";

/** A window's finding: who of its own three speaks, `[589, 3]`, and which speaker of the file each of them is (−1: none). */
export type WindowFinding = { start: number; active: Uint8Array; speakers: readonly number[] };

export type Reconstruction = { turns: SpeakerTurn[]; exclusive: SpeakerTurn[] };

/**
 * Who speaks in the file, from overlapping windows: how many speak at a frame is the rounded mean of what its windows
 * say; who they are, those whom most windows name (as pyannote.audio 3.1 reconstructs). `exclusive` names one at most.
 */
export function reconstruct(windows: readonly WindowFinding[], speakers: number): Reconstruction {
  const total = frameTotal(windows.map(({ start }) => start));
  const votes = new Uint16Array(total * speakers);
  const counts = new Uint16Array(total);
  const covering = new Uint16Array(total);
  for (const { start, active, speakers: named } of windows) {
    const first = firstFrameOf(start);
    for (let frame = 0; frame < WINDOW_FRAMES; frame++) {
      const at = first + frame;
      covering[at]++;
      const local = active.subarray(frame * LOCAL_SPEAKERS, (frame + 1) * LOCAL_SPEAKERS);
      const heard = new Set<number>();
      for (let l = 0; l < LOCAL_SPEAKERS; l++) {
        if (!local[l]) continue;
        counts[at]++;
        if (named[l] >= 0) heard.add(named[l]);
      }
      for (const speaker of heard) votes[at * speakers + speaker]++;
    }
  }
  const several = new Uint8Array(total * speakers);
  const one = new Uint8Array(total * speakers);
  for (let at = 0; at < total; at++) {
    const wanted = roundHalfToEven(counts[at] / Math.max(1, covering[at]));
    const row = votes.subarray(at * speakers, (at + 1) * speakers);
    const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a] || a - b);
    order.slice(0, wanted).forEach((speaker, rank) => {
      if (row[speaker] === 0) return;
      several[at * speakers + speaker] = 1;
      if (rank === 0) one[at * speakers + speaker] = 1;
    });
  }
  return { turns: turnsOf(several, speakers), exclusive: turnsOf(one, speakers) };
}

/** As numpy rounds: of two whole numbers equally near, the even one. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

function turnsOf(active: Uint8Array, speakers: number): SpeakerTurn[] {
  const frames = speakers > 0 ? active.length / speakers : 0;
  const turns: SpeakerTurn[] = [];
  for (let speaker = 0; speaker < speakers; speaker++) {
    let from = -1;
    for (let frame = 0; frame <= frames; frame++) {
      const on = frame < frames && active[frame * speakers + speaker] === 1;
      if (on && from < 0) from = frame;
      if (!on && from >= 0) {
        turns.push({ start: frameMiddle(from), end: frameMiddle(frame), speaker });
        from = -1;
      }
    }
  }
  return turns.sort((a, b) => a.start - b.start || a.speaker - b.speaker);
}
