/** Numbers in [0, 1), the same for the same seed (mulberry32): a result must not change from run to run. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A mixture of Gaussians with diagonal covariance: `weights [components]`, `means`, `variances [components, dimensions]`. */
export class GaussianMixture {
  readonly components: number;
  readonly dimensions: number;
  readonly weights: Float64Array;
  readonly means: Float64Array;
  readonly variances: Float64Array;
  readonly #precisions: Float64Array;
  readonly #constants: Float64Array;

  constructor(weights: Float64Array, means: Float64Array, variances: Float64Array) {
    this.components = weights.length;
    this.dimensions = means.length / weights.length;
    this.weights = weights;
    this.means = means;
    this.variances = variances;
    this.#precisions = variances.map((variance) => 0.5 / variance);
    this.#constants = weights.map((weight, c) => {
      let sum = Math.log(Math.max(weight, 1e-300));
      for (let d = 0; d < this.dimensions; d++) {
        sum -= 0.5 * Math.log(2 * Math.PI * variances[c * this.dimensions + d]);
      }
      return sum;
    });
  }

  /** Log-likelihood of the frame at `offset`; `responsibilities [components]` are filled where given. */
  logLikelihood(features: Float32Array, offset: number, responsibilities?: Float64Array): number {
    const { components, dimensions, means } = this;
    const logs = responsibilities ?? this.#scratch;
    let maximum = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < components; c++) {
      let sum = this.#constants[c];
      const base = c * dimensions;
      for (let d = 0; d < dimensions; d++) {
        const difference = features[offset + d] - means[base + d];
        sum -= difference * difference * this.#precisions[base + d];
      }
      logs[c] = sum;
      if (sum > maximum) maximum = sum;
    }
    let total = 0;
    for (let c = 0; c < components; c++) {
      logs[c] = Math.exp(logs[c] - maximum);
      total += logs[c];
    }
    if (responsibilities) for (let c = 0; c < components; c++) responsibilities[c] /= total;
    return maximum + Math.log(total);
  }

  get #scratch(): Float64Array {
    this.#scratchSpace ??= new Float64Array(this.components);
    return this.#scratchSpace;
  }
  #scratchSpace: Float64Array | undefined;
}

export type TrainingSettings = {
  components: number;
  iterations: number;
  seed: number;
  /** Variances stay above this share of the whole data's. */
  varianceFloor?: number;
};

/**
 * Fits a mixture to frames `[frames, dimensions]` by expectation maximisation from means chosen far apart (k-means++).
 * Fewer frames than twice the components make a smaller mixture.
 */
export function trainMixture(
  features: Float32Array,
  dimensions: number,
  { components: wanted, iterations, seed, varianceFloor = 0.05 }: TrainingSettings,
): GaussianMixture {
  const frames = features.length / dimensions;
  const components = Math.max(1, Math.min(wanted, Math.floor(frames / 2)));
  const spread = spreadOf(features, dimensions);
  const floor = spread.map((variance) => Math.max(varianceFloor * variance, 1e-6));
  const means = spreadMeans(features, dimensions, components, spread, seededRandom(seed));
  const variances = new Float64Array(components * dimensions);
  for (let c = 0; c < components; c++)
    for (let d = 0; d < dimensions; d++) variances[c * dimensions + d] = Math.max(spread[d], 1e-6);
  let mixture = new GaussianMixture(new Float64Array(components).fill(1 / components), means, variances);
  for (let i = 0; i < iterations; i++) mixture = improve(mixture, features, floor);
  return mixture;
}

/** One round of expectation maximisation. */
function improve(mixture: GaussianMixture, features: Float32Array, floor: Float64Array): GaussianMixture {
  const { components, dimensions } = mixture;
  const frames = features.length / dimensions;
  const counts = new Float64Array(components);
  const sums = new Float64Array(components * dimensions);
  const squares = new Float64Array(components * dimensions);
  const shares = new Float64Array(components);
  for (let frame = 0; frame < frames; frame++) {
    const offset = frame * dimensions;
    mixture.logLikelihood(features, offset, shares);
    for (let c = 0; c < components; c++) {
      const share = shares[c];
      if (share < 1e-4) continue;
      counts[c] += share;
      const base = c * dimensions;
      for (let d = 0; d < dimensions; d++) {
        const value = features[offset + d];
        sums[base + d] += share * value;
        squares[base + d] += share * value * value;
      }
    }
  }
  const total = counts.reduce((sum, count) => sum + count, 0);
  const weights = counts.map((count) => Math.max(count / total, 1e-6));
  const means = mixture.means.slice();
  const variances = mixture.variances.slice();
  for (let c = 0; c < components; c++) {
    // A component that hardly any frame belongs to stays where it is.
    if (counts[c] < 1) continue;
    for (let d = 0; d < dimensions; d++) {
      const at = c * dimensions + d;
      means[at] = sums[at] / counts[c];
      variances[at] = Math.max(squares[at] / counts[c] - means[at] ** 2, floor[d]);
    }
  }
  return new GaussianMixture(weights, means, variances);
}

/** Variance of each dimension over all frames. */
function spreadOf(features: Float32Array, dimensions: number): Float64Array {
  const frames = features.length / dimensions;
  const sums = new Float64Array(dimensions);
  const squares = new Float64Array(dimensions);
  for (let i = 0; i < features.length; i++) {
    sums[i % dimensions] += features[i];
    squares[i % dimensions] += features[i] ** 2;
  }
  return sums.map((sum, d) => Math.max(squares[d] / frames - (sum / frames) ** 2, 1e-6));
}

/** Frames as first means, each drawn with a chance that grows with its distance from those before (Arthur 2007). */
function spreadMeans(
  features: Float32Array,
  dimensions: number,
  components: number,
  spread: Float64Array,
  random: () => number,
): Float64Array {
  const frames = features.length / dimensions;
  const means = new Float64Array(components * dimensions);
  const nearest = new Float64Array(frames).fill(Number.POSITIVE_INFINITY);
  let chosen = Math.floor(random() * frames);
  for (let c = 0; c < components; c++) {
    for (let d = 0; d < dimensions; d++) means[c * dimensions + d] = features[chosen * dimensions + d];
    let total = 0;
    for (let frame = 0; frame < frames; frame++) {
      let distance = 0;
      for (let d = 0; d < dimensions; d++) {
        distance += (features[frame * dimensions + d] - means[c * dimensions + d]) ** 2 / spread[d];
      }
      nearest[frame] = Math.min(nearest[frame], distance);
      total += nearest[frame];
    }
    let left = random() * total;
    chosen = 0;
    for (; chosen < frames - 1 && left > nearest[chosen]; chosen++) left -= nearest[chosen];
  }
  return means;
}
