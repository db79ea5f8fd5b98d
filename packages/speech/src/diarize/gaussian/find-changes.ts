import { FrameStatistics } from "./frame-statistics.ts";

/** A change is looked for between this many frames before and after it. */
const SIDE = 150;
const STEP = 10;
/** Of changes nearer than this to each other the clearest stays. */
const APART = 100;
/** Pieces below this join the one before. */
const SHORTEST = 50;

/** Frames `from`…`to` that one speaker may have said. */
export type Piece = { from: number; to: number };

/**
 * Cuts speech frames `[frames, dimensions]` where the speaker may change: at every pause (frame numbers in `pauses`) and
 * where the frames before and after differ most (peaks of the generalised likelihood ratio; Siegler 1997, Chen 1998).
 * Cuts too often rather than too seldom: what belongs together is joined afterwards.
 */
export function findChanges(features: Float32Array, dimensions: number, pauses: readonly number[]): Piece[] {
  const frames = features.length / dimensions;
  const places: number[] = [];
  const ratios: number[] = [];
  const before = FrameStatistics.empty(dimensions);
  const after = FrameStatistics.empty(dimensions);
  for (let at = SIDE / 2; at < frames - SIDE / 2; at += STEP) {
    before.become(features, Math.max(0, at - SIDE), at);
    after.become(features, at, Math.min(frames, at + SIDE));
    places.push(at);
    ratios.push(before.ratioTo(after));
  }
  const reach = APART / STEP;
  const peaks = places.filter((_, i) => ratios[i] >= Math.max(...ratios.slice(Math.max(0, i - reach), i + reach + 1)));
  const cuts = [...new Set([0, ...pauses.filter((at) => at > 0 && at < frames), ...peaks, frames])].sort(
    (a, b) => a - b,
  );
  const pieces: Piece[] = [];
  for (let i = 1; i < cuts.length; i++) {
    const piece = { from: cuts[i - 1], to: cuts[i] };
    const last = pieces.at(-1);
    if (last && (piece.to - piece.from < SHORTEST || last.to - last.from < SHORTEST)) last.to = piece.to;
    else pieces.push(piece);
  }
  return pieces;
}
