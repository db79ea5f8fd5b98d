import type { SampleReader } from "./read-samples.ts";

export interface ChunkLimits {
  /** Longest part, in samples. */
  maxSamples: number;
  /** How far before that the cut may lie. */
  searchSamples: number;
}

/** 16 kHz: a step of 10 ms, and how long it must be quiet around a cut. */
const HOP = 160;
const AROUND_HOPS = 15;

/**
 * Where the part that begins at `from` ends: at `end` where that is near enough, else at the middle of the quietest
 * 300 ms of the stretch before the longest allowed part.
 */
export async function endOfChunk(samples: SampleReader, from: number, end: number, limits: ChunkLimits) {
  const { maxSamples, searchSamples } = limits;
  if (end - from <= maxSamples) return end;
  const searchFrom = from + maxSamples - searchSamples;
  const stretch = await samples.read(searchFrom, from + maxSamples);
  return searchFrom + quietestAt(stretch);
}

/** Offset of the quietest place, in samples; of several the last, so that parts stay long. */
function quietestAt(samples: Int16Array): number {
  const hops = Math.floor(samples.length / HOP);
  if (hops < AROUND_HOPS) return samples.length;
  const energy = Array.from({ length: hops }, (_, hop) => energyOf(samples.subarray(hop * HOP, (hop + 1) * HOP)));
  let sum = energy.slice(0, AROUND_HOPS).reduce((total, value) => total + value, 0);
  let best = { sum, hop: 0 };
  for (let hop = 1; hop + AROUND_HOPS <= hops; hop += 1) {
    sum += energy[hop + AROUND_HOPS - 1]! - energy[hop - 1]!;
    if (sum <= best.sum) best = { sum, hop };
  }
  return (best.hop + Math.floor(AROUND_HOPS / 2)) * HOP;
}

function energyOf(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum;
}

/** Below this no microphone is: digital silence, of which models make up words. */
const FAINTEST_SAMPLE = 8;

export function isSilent(samples: Int16Array): boolean {
  return samples.every((sample) => Math.abs(sample) < FAINTEST_SAMPLE);
}
