import type { Piece } from "./find-changes.ts";
import { FrameStatistics, gaussianParameters } from "./frame-statistics.ts";

/** Speech as it was cut: `features [frames, dimensions]`, the pieces, and the statistics of each. */
export type CutSpeech = {
  features: Float32Array;
  pieces: readonly Piece[];
  statistics: readonly FrameStatistics[];
};

/**
 * Where the same sound came before: for each piece of `later` the frame of `earlier` that its middle is a copy of, or -1
 * where it is new. In speech compared with itself the first is new. A piece that was cut otherwise than the first time
 * is found by how far back the originals of others are.
 *
 * A copy says nothing new of a voice: counted as more speech, it makes how one sentence differs from another look like
 * another speaker.
 */
export function findCopies(later: CutSpeech, earlier: CutSpeech, dimensions: number): Int32Array {
  // What two samples of one Gaussian differ by on average, in nats. Frames of speech hang together: pieces of one speaker
  // differ by 1.8 times that and more; the same sound again, cut or framed a little otherwise, by 0.1, seldom by 0.4.
  const most = gaussianParameters(dimensions) / 2;
  const found = new Int32Array(later.pieces.length).fill(-1);
  const distances = new Set<number>();
  later.pieces.forEach(({ from, to }, i) => {
    const candidates = later === earlier ? i : earlier.pieces.length;
    for (let j = 0; j < candidates; j++) {
      if (later === earlier && found[j] >= 0) continue;
      if (earlier.statistics[j].ratioTo(later.statistics[i]) >= most) continue;
      const distance = from - earlier.pieces[j].from;
      distances.add(distance);
      found[i] = middleOf(from, to) - distance;
      break;
    }
  });
  const frames = earlier.features.length / dimensions;
  const before = FrameStatistics.empty(dimensions);
  later.pieces.forEach(({ from, to }, i) => {
    if (found[i] >= 0) return;
    for (const distance of distances) {
      if (distance > from || to - distance > frames) continue;
      if (before.become(earlier.features, from - distance, to - distance).ratioTo(later.statistics[i]) >= most)
        continue;
      found[i] = middleOf(from, to) - distance;
      return;
    }
  });
  return found;
}

const middleOf = (from: number, to: number) => Math.floor((from + to) / 2);
