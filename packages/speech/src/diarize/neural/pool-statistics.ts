/**
 * Mean and deviation over time of a network's trunk, weighted: `trunk [channels, frames]`, `weights [frames]` →
 * `[2 · channels]`, means first. The variance is the unbiased one for weights, Σw(x−m)² / (Σw − Σw²/Σw), as pyannote's
 * statistics pooling has it. All weights zero, or a single frame: null, for there is no deviation.
 */
export function poolStatistics(trunk: Float32Array, channels: number, weights: ArrayLike<number>): Float32Array | null {
  const frames = trunk.length / channels;
  let sum = 0;
  let squares = 0;
  for (let t = 0; t < frames; t++) {
    sum += weights[t];
    squares += weights[t] ** 2;
  }
  const freedom = sum - squares / sum;
  if (!(freedom > 1e-6)) return null;
  const out = new Float32Array(2 * channels);
  for (let c = 0; c < channels; c++) {
    const row = trunk.subarray(c * frames, (c + 1) * frames);
    let mean = 0;
    for (let t = 0; t < frames; t++) mean += weights[t] * row[t];
    mean /= sum;
    let variance = 0;
    for (let t = 0; t < frames; t++) variance += weights[t] * (row[t] - mean) ** 2;
    out[c] = mean;
    out[channels + c] = Math.sqrt(variance / freedom + 1e-7);
  }
  return out;
}

/** The nearest of `mask`'s frames for each of `frames` that span the same time. */
export function resampleMask(mask: ArrayLike<number>, frames: number): Float32Array {
  return Float32Array.from({ length: frames }, (_, t) => mask[Math.floor((t * mask.length) / frames)]);
}

/**
 * The frames by which a window's own speaker is to be known: those where nobody else speaks, unless there are too few
 * of them; null where the speaker is silent. `active [frames, speakers]`.
 */
export function maskOf(active: Uint8Array, speakers: number, speaker: number, leastFrames: number): Uint8Array | null {
  const frames = active.length / speakers;
  const all = new Uint8Array(frames);
  const alone = new Uint8Array(frames);
  let heard = 0;
  let clean = 0;
  for (let t = 0; t < frames; t++) {
    if (!active[t * speakers + speaker]) continue;
    all[t] = 1;
    heard++;
    let others = 0;
    for (let s = 0; s < speakers; s++) others += active[t * speakers + s];
    if (others > 1) continue;
    alone[t] = 1;
    clean++;
  }
  if (heard === 0) return null;
  return clean > leastFrames ? alone : all;
}
