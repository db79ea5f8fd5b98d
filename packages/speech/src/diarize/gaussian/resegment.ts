import { CEPSTRA } from "../features/cepstra.ts";
import { StateDecoder } from "./decode-states.ts";
import { type GaussianMixture, trainMixture } from "./gaussian-mixture.ts";
import type { SpeechFrames } from "./speech-frames.ts";

const ROUNDS = 3;
const MOST_COMPONENTS = 16;
/** A component has at least this many frames to be learnt from. */
const FRAMES_PER_COMPONENT = 60;
/** A minute of somebody's frames says who it is; more only takes time. */
const FRAMES_PER_SPEAKER = 6000;
/** Nobody speaks for less than a second. */
const SHORTEST_VISIT = 100;
/** What a change of speaker costs, in nats. */
const CHANGE_COST = 20;

/**
 * Moves the borders between speakers to where they sound best: a mixture of each speaker's frames, the likeliest
 * sequence, and again. `labels` has a speaker for each frame of speech, and is changed in place.
 */
export async function resegment(
  frames: SpeechFrames,
  labels: Uint8Array,
  signal: AbortSignal,
  progress: (share: number) => void,
): Promise<void> {
  const longest = frames.chunks.reduce((most, chunk) => Math.max(most, chunk.frames), 0);
  // One for all rounds and chunks: what is thrown away each time stays in memory for long.
  let scores = new Float32Array(0);
  for (let round = 0; round < ROUNDS; round++) {
    const samples = await sampleSpeakers(frames, labels, signal);
    const speakers = [...samples.keys()];
    if (speakers.length < 2) return;
    const mixtures = speakers.map((speaker) => learnMixture(samples.get(speaker)!, round));
    if (scores.length < longest * speakers.length) scores = new Float32Array(longest * speakers.length);
    const decoder = new StateDecoder({
      states: speakers.length,
      minimumFrames: SHORTEST_VISIT,
      changeCost: CHANGE_COST,
    });
    let moved = 0;
    for (const chunk of frames.chunks) {
      signal.throwIfAborted();
      progress((round + chunk.first / frames.count) / ROUNDS);
      const path = decoder.decode(scoreFrames(await frames.read(chunk), mixtures, scores));
      for (let i = 0; i < chunk.frames; i++) {
        const speaker = speakers[path[i]];
        if (labels[chunk.first + i] !== speaker) moved++;
        labels[chunk.first + i] = speaker;
      }
    }
    if (moved === 0) return;
  }
}

/** A mixture of somebody's frames, larger where there are more of them. */
export function learnMixture(features: Float32Array, round: number): GaussianMixture {
  const components = Math.floor(features.length / CEPSTRA / FRAMES_PER_COMPONENT);
  return trainMixture(features, CEPSTRA, {
    components: Math.max(1, Math.min(MOST_COMPONENTS, components)),
    iterations: 6,
    seed: round + 1,
  });
}

/** Log-likelihoods `[frames, speakers]`, at the beginning of `into`. */
function scoreFrames(features: Float32Array, mixtures: readonly GaussianMixture[], into: Float32Array): Float32Array {
  const frames = features.length / CEPSTRA;
  const scores = into.subarray(0, frames * mixtures.length);
  for (let i = 0; i < frames; i++) {
    for (let s = 0; s < mixtures.length; s++)
      scores[i * mixtures.length + s] = mixtures[s].logLikelihood(features, i * CEPSTRA);
  }
  return scores;
}

/** Each speaker's frames, every so many, so that none has more than a minute of them. */
export async function sampleSpeakers(frames: SpeechFrames, labels: Uint8Array, signal: AbortSignal) {
  const counts = new Map<number, number>();
  for (const speaker of labels) counts.set(speaker, (counts.get(speaker) ?? 0) + 1);
  const stride = (speaker: number) => Math.ceil(counts.get(speaker)! / FRAMES_PER_SPEAKER);
  const samples = new Map<number, Float32Array>();
  for (const speaker of [...counts.keys()].sort((a, b) => a - b)) {
    samples.set(speaker, new Float32Array(Math.ceil(counts.get(speaker)! / stride(speaker)) * CEPSTRA));
  }
  const seen = new Map<number, number>();
  for (const chunk of frames.chunks) {
    signal.throwIfAborted();
    const features = await frames.read(chunk);
    for (let i = 0; i < chunk.frames; i++) {
      const speaker = labels[chunk.first + i];
      const nth = seen.get(speaker) ?? 0;
      seen.set(speaker, nth + 1);
      if (nth % stride(speaker) > 0) continue;
      const to = (nth / stride(speaker)) * CEPSTRA;
      samples.get(speaker)!.set(features.subarray(i * CEPSTRA, (i + 1) * CEPSTRA), to);
    }
  }
  return samples;
}
