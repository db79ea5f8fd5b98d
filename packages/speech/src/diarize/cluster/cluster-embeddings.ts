import type { SpeakerBounds } from "../turns.ts";
import { agglomerate, cutTree, type Join } from "./agglomerate.ts";

/** Of pyannote's pipeline 3.1, tuned by its authors on many corpora. */
const THRESHOLD = 0.7045654963945799;
const SMALLEST_CLUSTER = 12;
/** More points than this are clustered in blocks first, and then by the blocks' centroids. */
const AT_ONCE = 1000;
/** Joins within a block stop below this, so that what two blocks share is still apart there from what they do not. */
const BLOCK_THRESHOLD = 0.5 * THRESHOLD;
/** More centroids than this are not carried from a block to the joining of all. */
const MOST_OF_BLOCK = 50;

/** Embeddings that need not be in memory. */
export type Embeddings = {
  readonly count: number;
  readonly width: number;
  /** `[to − from, width]`, the caller's to change. */
  copy(from: number, to: number): Float32Array;
};

/** Speakers' centroids, `[count, width]`. */
export type Centroids = { count: number; values: Float32Array };

/**
 * Centroids of the speakers behind embeddings, as pyannote 3.1 finds them: unit vectors, centroid linkage, a
 * threshold, clusters that are large enough (the others belong to the nearest of them), and a number within the bounds,
 * by the cut of the tree that comes nearest. Files of hours: blocks first, `onBlock` is told after each, then their centroids
 * by weight.
 */
export function clusterEmbeddings(
  embeddings: Embeddings,
  bounds: SpeakerBounds,
  onBlock: () => void = () => {},
): Centroids {
  const { count: n, width } = embeddings;
  if (n === 0) return { count: 0, values: new Float32Array(0) };
  const points = blockCentroids(embeddings, onBlock);
  const labels = chooseClusters(points, width, n, bounds);
  return centroidsOf(points, width, labels);
}

type Points = { values: Float32Array; weights: Float64Array; sums: Float64Array };

/** The points that are clustered: the embeddings, or in long recordings the centroids of fifty clusters a block at most. */
export function blockCentroids(embeddings: Embeddings, onBlock: () => void = () => {}): Points {
  const { count: n, width } = embeddings;
  const most = n <= AT_ONCE ? n : Math.ceil(n / AT_ONCE) * MOST_OF_BLOCK;
  const values = new Float32Array(most * width);
  const weights = new Float64Array(most);
  const sums = new Float64Array(most * width);
  let points = 0;
  for (let from = 0; from < n; from += AT_ONCE) {
    const block = embeddings.copy(from, Math.min(n, from + AT_ONCE));
    const unit = normalised(block, width);
    const count = block.length / width;
    const labels =
      n <= AT_ONCE ? Int32Array.from({ length: count }, (_, i) => i) : cutBlock(agglomerate(unit, width), count);
    for (let label = 0; label <= Math.max(...labels); label++) {
      const mean = new Float64Array(width);
      const sum = sums.subarray(points * width, (points + 1) * width);
      let size = 0;
      labels.forEach((found, i) => {
        if (found !== label) return;
        size++;
        for (let d = 0; d < width; d++) {
          mean[d] += unit[i * width + d];
          sum[d] += block[i * width + d];
        }
      });
      for (let d = 0; d < width; d++) values[points * width + d] = mean[d] / size;
      weights[points++] = size;
    }
    onBlock();
  }
  return {
    values: values.subarray(0, points * width),
    weights: weights.subarray(0, points),
    sums: sums.subarray(0, points * width),
  };
}

/** Clusters below the threshold of blocks, or above it until they are few enough. */
function cutBlock(joins: readonly Join[], n: number): Int32Array {
  const cuts = joins.map(({ distance }) => distance).filter((distance) => distance > BLOCK_THRESHOLD);
  cuts.sort((a, b) => a - b);
  const clustersAt = (labels: Int32Array) => labels.reduce((most, label) => Math.max(most, label + 1), 0);
  let labels = cutTree(joins, n, BLOCK_THRESHOLD);
  let [low, high] = [0, cuts.length - 1];
  if (clustersAt(labels) <= MOST_OF_BLOCK) return labels;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const tried = cutTree(joins, n, cuts[middle]);
    if (clustersAt(tried) <= MOST_OF_BLOCK) [labels, high] = [tried, middle - 1];
    else low = middle + 1;
  }
  return labels;
}

function chooseClusters(
  { values, weights, sums }: Points,
  width: number,
  n: number,
  bounds: SpeakerBounds,
): Int32Array {
  const points = weights.length;
  const joins = agglomerate(values, width, weights);
  const smallest = Math.min(SMALLEST_CLUSTER, Math.max(1, Math.round(0.1 * n)));
  const sizesOf = (labels: Int32Array) => {
    const sizes: number[] = [];
    labels.forEach((label, i) => {
      sizes[label] = (sizes[label] ?? 0) + weights[i];
    });
    return sizes;
  };
  const largeIn = (labels: Int32Array) => sizesOf(labels).filter((size) => size >= smallest).length;
  let labels = cutTree(joins, points, THRESHOLD);
  const found = Math.max(1, largeIn(labels));
  const target = Math.min(bounds.maxSpeakers, Math.max(bounds.minSpeakers, found));
  if (found !== target) {
    // The cut with the number nearest to what is wanted; of several the one nearest to the threshold.
    const cuts = [0, ...joins.map(({ distance }) => distance)].sort(
      (a, b) => Math.abs(a - THRESHOLD) - Math.abs(b - THRESHOLD),
    );
    let least = Math.abs(largeIn(labels) - target);
    for (const cut of cuts) {
      if (least === 0) break;
      const tried = cutTree(joins, points, cut);
      const off = Math.abs(largeIn(tried) - target);
      if (off < least) [least, labels] = [off, tried];
    }
  }
  const sizes = sizesOf(labels);
  const large = sizes.flatMap((size, label) => (size >= smallest ? [label] : []));
  // Nothing but small ones is one speaker.
  if (large.length === 0) return new Int32Array(points);
  const centroids = centroidsOf({ values, weights, sums }, width, labels);
  return labels.map((label) => {
    if (sizes[label] >= smallest) return large.indexOf(label);
    const own = centroids.values.subarray(label * width, (label + 1) * width);
    const near = large.map((other) => cosine(own, centroids.values.subarray(other * width, (other + 1) * width)));
    return near.indexOf(Math.max(...near));
  });
}

function centroidsOf({ sums, weights }: Points, width: number, labels: Int32Array): Centroids {
  const count = Math.max(...labels) + 1;
  const totals = new Float64Array(count * width);
  const sizes = new Float64Array(count);
  labels.forEach((label, i) => {
    sizes[label] += weights[i];
    for (let d = 0; d < width; d++) totals[label * width + d] += sums[i * width + d];
  });
  return { count, values: Float32Array.from(totals, (sum, i) => sum / sizes[Math.floor(i / width)]) };
}

/** The speaker whose centroid is nearest by cosine. */
export function nearestSpeaker(embedding: Float32Array, { count, values }: Centroids): number {
  const width = embedding.length;
  let best = 0;
  let most = Number.NEGATIVE_INFINITY;
  for (let speaker = 0; speaker < count; speaker++) {
    const alike = cosine(embedding, values.subarray(speaker * width, (speaker + 1) * width));
    if (alike > most) [most, best] = [alike, speaker];
  }
  return best;
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [product, lengthA, lengthB] = [0, 0, 0];
  for (let d = 0; d < a.length; d++) {
    product += a[d] * b[d];
    lengthA += a[d] ** 2;
    lengthB += b[d] ** 2;
  }
  return product / (Math.sqrt(lengthA * lengthB) || 1);
}

function normalised(vectors: Float32Array, width: number): Float32Array {
  const out = vectors.slice();
  for (let i = 0; i < out.length; i += width) {
    const length = Math.hypot(...out.subarray(i, i + width)) || 1;
    for (let d = 0; d < width; d++) out[i + d] /= length;
  }
  return out;
}
