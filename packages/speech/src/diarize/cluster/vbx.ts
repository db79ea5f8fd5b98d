/** Of community-1's pipeline: how much frames and speakers' priors count, and how often it is improved. */
const FA = 0.07;
const FB = 0.8;
const ITERATIONS = 20;
/** How sure the first guess is. */
const SMOOTHING = 7;
/** A speaker with less than this share of all is none. */
const LEAST_SHARE = 1e-7;
const CONVERGED = 1e-4;

export type Vbx = { responsibilities: Float64Array; shares: Float64Array; speakers: number[] };

/**
 * Variational Bayes clustering of PLDA-space vectors `[n, width]` (Landini et al. 2022, "Bayesian HMM clustering of
 * x-vector sequences", without the HMM): within-speaker covariance one, between-speaker variances `phi [width]`. Begins
 * with `labels`; speakers that nothing needs fade. `responsibilities [n, clusters]`, and the speakers that are left.
 */
export function vbx(vectors: Float64Array, phi: Float64Array, labels: Int32Array): Vbx {
  const width = phi.length;
  const n = vectors.length / width;
  const clusters = Math.max(...labels) + 1;
  const root = phi.map(Math.sqrt);
  const rho = vectors.map((value, i) => value * root[i % width]);
  const base = Float64Array.from({ length: n }, (_, i) => {
    let squares = 0;
    for (let d = 0; d < width; d++) squares += vectors[i * width + d] ** 2;
    return -0.5 * (squares + width * Math.log(2 * Math.PI));
  });
  // A softmax over one label.
  const sure = Math.exp(SMOOTHING) / (Math.exp(SMOOTHING) + clusters - 1);
  const unsure = 1 / (Math.exp(SMOOTHING) + clusters - 1);
  let responsibilities = Float64Array.from({ length: n * clusters }, (_, at) =>
    labels[Math.floor(at / clusters)] === at % clusters ? sure : unsure,
  );
  let shares = new Float64Array(clusters).fill(1 / clusters);
  let bound = Number.NEGATIVE_INFINITY;
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const { precision, means } = speakerModels(responsibilities, rho, phi, clusters);
    const next = new Float64Array(n * clusters);
    let evidence = 0;
    for (let i = 0; i < n; i++) {
      const logs = Array.from({ length: clusters }, (_, c) => {
        let value = 0;
        for (let d = 0; d < width; d++) {
          const at = c * width + d;
          value += rho[i * width + d] * means[at] - 0.5 * (precision[at] + means[at] ** 2) * phi[d];
        }
        return FA * (value + base[i]) + Math.log(shares[c] + 1e-8);
      });
      const most = Math.max(...logs);
      const total = most + Math.log(logs.reduce((sum, value) => sum + Math.exp(value - most), 0));
      evidence += total;
      logs.forEach((value, c) => {
        next[i * clusters + c] = Math.exp(value - total);
      });
    }
    responsibilities = next;
    shares = new Float64Array(clusters);
    for (let at = 0; at < next.length; at++) shares[at % clusters] += next[at] / n;
    let divergence = 0;
    for (let at = 0; at < means.length; at++)
      divergence += Math.log(precision[at]) - precision[at] - means[at] ** 2 + 1;
    const nextBound = evidence + 0.5 * FB * divergence;
    if (nextBound - bound < CONVERGED) break;
    bound = nextBound;
  }
  const speakers = [...shares.keys()].filter((c) => shares[c] > LEAST_SHARE);
  return { responsibilities, shares, speakers };
}

/** Each speaker's posterior: variances (`precision` inverted) and means, `[clusters, width]`. */
function speakerModels(responsibilities: Float64Array, rho: Float64Array, phi: Float64Array, clusters: number) {
  const width = phi.length;
  const n = responsibilities.length / clusters;
  const counts = new Float64Array(clusters);
  const sums = new Float64Array(clusters * width);
  for (let i = 0; i < n; i++) {
    for (let c = 0; c < clusters; c++) {
      const share = responsibilities[i * clusters + c];
      counts[c] += share;
      for (let d = 0; d < width; d++) sums[c * width + d] += share * rho[i * width + d];
    }
  }
  const precision = Float64Array.from(
    sums,
    (_, at) => 1 / (1 + (FA / FB) * counts[Math.floor(at / width)] * phi[at % width]),
  );
  return { precision, means: sums.map((sum, at) => (FA / FB) * precision[at] * sum) };
}
