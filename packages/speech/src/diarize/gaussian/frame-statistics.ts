/** Kept away from the zero that logarithms do not take: far below what cepstra of speech vary. */
const LEAST_VARIANCE = 0.3;

/** How many numbers a Gaussian with full covariance has: a mean and half a symmetric matrix. */
export const gaussianParameters = (dimensions: number) => dimensions + (dimensions * (dimensions + 1)) / 2;

/** Sums over frames from which a Gaussian with full covariance follows: count, sums, products (lower triangle). */
export class FrameStatistics {
  #count = 0;
  readonly #sums: Float64Array;
  readonly #products: Float64Array;
  #weightedLogDeterminant = 0;

  private constructor(sums: Float64Array, products: Float64Array) {
    this.#sums = sums;
    this.#products = products;
  }

  /** Of no frames yet. */
  static empty(dimensions: number): FrameStatistics {
    return new FrameStatistics(new Float64Array(dimensions), new Float64Array(dimensions * dimensions));
  }

  /** Of the frames `from`…`to` of `features [frames, dimensions]`. */
  static of(features: Float32Array, dimensions: number, from: number, to: number): FrameStatistics {
    return FrameStatistics.empty(dimensions).become(features, from, to);
  }

  get count(): number {
    return this.#count;
  }

  /** Forgets its frames for `from`…`to` of `features`: what is asked for thousands of times makes no new memory. */
  become(features: Float32Array, from: number, to: number): this {
    const sums = this.#sums.fill(0);
    const products = this.#products.fill(0);
    const dimensions = sums.length;
    for (let frame = from; frame < to; frame++) {
      const offset = frame * dimensions;
      for (let i = 0; i < dimensions; i++) {
        const value = features[offset + i];
        sums[i] += value;
        for (let j = 0; j <= i; j++) products[i * dimensions + j] += value * features[offset + j];
      }
    }
    return this.#counted(to - from);
  }

  plus(other: FrameStatistics): FrameStatistics {
    return new FrameStatistics(
      this.#sums.map((sum, i) => sum + other.#sums[i]),
      this.#products.map((product, i) => product + other.#products[i]),
    ).#counted(this.count + other.count);
  }

  /** By how much two Gaussians explain the frames of both better than one: the logarithm of the likelihoods' ratio. */
  ratioTo(other: FrameStatistics): number {
    const count = this.count + other.count;
    const both = count * logDeterminant(count, this.#sums, this.#products, other.#sums, other.#products);
    return (both - this.#weightedLogDeterminant - other.#weightedLogDeterminant) / 2;
  }

  #counted(count: number): this {
    this.#count = count;
    this.#weightedLogDeterminant = count > 0 ? count * logDeterminant(count, this.#sums, this.#products) : 0;
    return this;
  }
}

const DIMENSIONS = 64;
/** One for all: clustering asks for hundreds of thousands of determinants. */
const lower = new Float64Array(DIMENSIONS * DIMENSIONS);
const means = new Float64Array(DIMENSIONS);

/** By Cholesky's decomposition of the covariance; of the frames of two together without a sum of both being made. */
function logDeterminant(
  count: number,
  sums: Float64Array,
  products: Float64Array,
  moreSums?: Float64Array,
  moreProducts?: Float64Array,
): number {
  const n = sums.length;
  let sum = 0;
  for (let i = 0; i < n; i++) means[i] = (moreSums ? sums[i] + moreSums[i] : sums[i]) / count;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const at = i * n + j;
      const product = moreProducts ? products[at] + moreProducts[at] : products[at];
      let value = product / count - means[i] * means[j];
      if (i === j) value += LEAST_VARIANCE;
      for (let k = 0; k < j; k++) value -= lower[i * n + k] * lower[j * n + k];
      if (i === j) {
        const root = Math.sqrt(Math.max(value, 1e-9));
        lower[i * n + i] = root;
        sum += 2 * Math.log(root);
      } else {
        lower[i * n + j] = value / lower[j * n + j];
      }
    }
  }
  return sum;
}
