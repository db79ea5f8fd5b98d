/**
 * The likeliest sequence of states over frames, each visit lasting at least `minimumFrames` (Viterbi over chains of
 * states; a visit that the end cuts short counts). `scores [frames, states]` are log-likelihoods; a change of state costs
 * `changeCost`. Memory: four bytes a frame and state.
 */
export function decodeStates(
  scores: Float32Array,
  states: number,
  minimumFrames: number,
  changeCost: number,
): Int32Array {
  const frames = states > 0 ? scores.length / states : 0;
  const path = new Int32Array(frames);
  if (frames === 0 || states === 1) return path;
  const cumulative = new Float64Array((frames + 1) * states);
  for (let t = 0; t < frames; t++) {
    for (let s = 0; s < states; s++)
      cumulative[(t + 1) * states + s] = cumulative[t * states + s] + scores[t * states + s];
  }
  // best[t]: the best score of frames before t when a visit ends exactly there; the visit's state and beginning beside it
  const best = new Float64Array(frames + 1).fill(Number.NEGATIVE_INFINITY);
  const state = new Int32Array(frames + 1);
  const start = new Int32Array(frames + 1);
  best[0] = 0;
  // For each state the best beginning so far: best[b] − cumulative up to b
  const opening = new Float64Array(states).fill(Number.NEGATIVE_INFINITY);
  const openedAt = new Int32Array(states);
  for (let t = 1; t <= frames; t++) {
    const atEnd = t === frames;
    for (let b = t - minimumFrames; atEnd && b >= 0 && b < t; b++) open(b);
    if (!atEnd && t - minimumFrames >= 0) open(t - minimumFrames);
    for (let s = 0; s < states; s++) {
      const score = opening[s] + cumulative[t * states + s];
      if (score > best[t]) [best[t], state[t], start[t]] = [score, s, openedAt[s]];
    }
  }
  for (let t = frames; t > 0; t = start[t]) path.fill(state[t], start[t], t);
  return path;

  function open(b: number) {
    if (best[b] === Number.NEGATIVE_INFINITY) return;
    const cost = b === 0 ? 0 : changeCost;
    for (let s = 0; s < states; s++) {
      const value = best[b] - cost - cumulative[b * states + s];
      if (value > opening[s]) [opening[s], openedAt[s]] = [value, b];
    }
  }
}
