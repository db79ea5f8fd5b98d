import { CEPSTRA } from "../features/cepstra.ts";
import type { GaussianMixture } from "./gaussian-mixture.ts";
import { learnMixture, sampleSpeakers } from "./resegment.ts";
import type { SpeechFrames } from "./speech-frames.ts";

/**
 * Two whose mixtures explain each other's frames so nearly as well as their own, in nats a frame for both together, are
 * one. Chosen on dialogues of read and synthesized speech that nothing else was chosen on: halves of one speaker lay at
 * 5 to 9, two speakers at 9.2 and more; in the mixtures and meetings that are measured, at 9 at most and from 10.9 on.
 */
const ALIKE = 9;

/**
 * Joins speakers that are one, told by mixtures of what borders have since been drawn to: the normalised cross
 * likelihood ratio (Reynolds 1998; Le, Mella and Fohr 2007). `labels` is changed in place.
 *
 * @returns whether any were joined
 */
export async function joinAlike(
  frames: SpeechFrames,
  labels: Uint8Array,
  minSpeakers: number,
  signal: AbortSignal,
): Promise<boolean> {
  const samples = await sampleSpeakers(frames, labels, signal);
  const speakers = [...samples].map(([label, features]) => ({
    labels: [label],
    features,
    mixture: learnMixture(features, 0),
  }));
  const before = speakers.length;
  while (speakers.length > Math.max(1, minSpeakers)) {
    signal.throwIfAborted();
    let [least, a, b] = [Number.POSITIVE_INFINITY, 0, 0];
    for (let i = 1; i < speakers.length; i++) {
      for (let j = 0; j < i; j++) {
        const apart = crossRatio(speakers[i], speakers[j]);
        if (apart < least) [least, a, b] = [apart, j, i];
      }
    }
    if (least >= ALIKE) break;
    const features = concatenated(speakers[a].features, speakers[b].features);
    speakers[a] = {
      labels: [...speakers[a].labels, ...speakers[b].labels],
      features,
      mixture: learnMixture(features, 0),
    };
    speakers.splice(b, 1);
  }
  if (speakers.length === before) return false;
  const joined = new Map(speakers.flatMap(({ labels: [first, ...others] }) => others.map((other) => [other, first])));
  for (let i = 0; i < labels.length; i++) labels[i] = joined.get(labels[i]) ?? labels[i];
  return true;
}

type Speaker = { features: Float32Array; mixture: GaussianMixture };

function crossRatio(a: Speaker, b: Speaker): number {
  const own = meanLikelihood(a.features, a.mixture) + meanLikelihood(b.features, b.mixture);
  return own - meanLikelihood(a.features, b.mixture) - meanLikelihood(b.features, a.mixture);
}

function meanLikelihood(features: Float32Array, mixture: GaussianMixture): number {
  let sum = 0;
  for (let at = 0; at < features.length; at += CEPSTRA) sum += mixture.logLikelihood(features, at);
  return (sum * CEPSTRA) / features.length;
}

function concatenated(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
