/**
 * The likeliest sequence of states over frames, each visit lasting at least `minimumFrames` (Viterbi over chains of
 * states; a visit that the end cuts short counts). `scores [frames, states]` are log-likelihoods; a change of state costs
 * `changeCost`. Memory: twenty bytes a frame beside the scores.
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
  // The scores of all frames before t, for the last t: a visit begins at most so long after it could end.
  const rows = Math.min(frames, Math.max(minimumFrames, 1)) + 1;
  const cumulative = new Float64Array(rows * states);
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
    const [row, before] = [(t % rows) * states, ((t - 1) % rows) * states];
    for (let s = 0; s < states; s++) cumulative[row + s] = cumulative[before + s] + scores[(t - 1) * states + s];
    for (let b = t - minimumFrames; atEnd && b >= 0 && b < t; b++) open(b);
    if (!atEnd && t - minimumFrames >= 0) open(t - minimumFrames);
    for (let s = 0; s < states; s++) {
      const score = opening[s] + cumulative[row + s];
      if (score > best[t]) [best[t], state[t], start[t]] = [score, s, openedAt[s]];
    }
  }
  for (let t = frames; t > 0; t = start[t]) path.fill(state[t], start[t], t);
  return path;

  function open(b: number) {
    if (best[b] === Number.NEGATIVE_INFINITY) return;
    const cost = b === 0 ? 0 : changeCost;
    for (let s = 0; s < states; s++) {
      const value = best[b] - cost - cumulative[(b % rows) * states + s];
      if (value > opening[s]) [opening[s], openedAt[s]] = [value, b];
    }
  }
}
