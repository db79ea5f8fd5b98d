import type { InferenceSession } from "onnxruntime-node";
import { freeMemory } from "../../sessions/free-memory.ts";
import { type Centroids, clusterEmbeddings, type Embeddings, nearestSpeaker } from "../cluster/cluster-embeddings.ts";
import type { SampleSource, SpeakerBounds } from "../turns.ts";
import { LOCAL_SPEAKERS, WINDOW_FRAMES, WINDOW_SAMPLES, windowStarts } from "./frames.ts";
import { HeardWindows } from "./heard-windows.ts";
import { JoinedTrunks } from "./join-trunks.ts";
import { maskOf } from "./pool-statistics.ts";
import { type Reconstruction, reconstruct } from "./reconstruct.ts";
import { segmentWindows } from "./segmentation.ts";
import type { SpeakerEmbedder } from "./speaker-embedder.ts";

/** Seconds between windows. */
const STEPS = { exact: 1, fast: 2.5 } as const;
/** A speaker is known by clean frames where there are more of them than the embedding needs: 400 samples. */
const LEAST_CLEAN_FRAMES = Math.ceil((WINDOW_FRAMES * 400) / 160_000);

/**
 * Clusters are found by those who are heard for a fifth of a window at least (as pyannote.audio 4 has it): a word at its
 * edge tells little of a voice. The others are given to the nearest.
 */
const CLEAR_FRAMES = 0.2 * WINDOW_FRAMES;

export type Networks = { segmentation: InferenceSession; embedder: SpeakerEmbedder };

export type NetworkOptions = SpeakerBounds & {
  speed: "exact" | "fast";
  /** Told the share done, 0…1. */
  progress?: (share: number) => void;
  /** How centroids are found; pyannote 3.1's way unless given. */
  cluster?: (embeddings: Embeddings, bounds: SpeakerBounds, onBlock: () => void) => Centroids;
  /** Where what is found of a long recording lies until all is heard. */
  scratchFolder: string;
};

/**
 * Who speaks when, as pyannote's pipeline 3.1: the speakers within each window of 10 s, an embedding of each of them,
 * clusters of the embeddings, and the windows put together by those. `exact` runs the embedding's trunk on each window,
 * `fast` once over the recording.
 */
export async function diarizeByNetworks(
  { segmentation, embedder }: Networks,
  source: SampleSource,
  { speed, progress = () => {}, cluster = clusterEmbeddings, scratchFolder, ...bounds }: NetworkOptions,
): Promise<Reconstruction> {
  const starts = windowStarts(source.sampleCount, STEPS[speed] * 16_000);
  const joined = new JoinedTrunks(embedder, source);
  const windows = new HeardWindows(scratchFolder, starts.length);
  try {
    for await (const { start, active, samples } of segmentWindows(segmentation, source, starts)) {
      const masks = Array.from({ length: LOCAL_SPEAKERS }, (_, s) =>
        maskOf(active, LOCAL_SPEAKERS, s, LEAST_CLEAN_FRAMES),
      );
      const embeddings: (Float32Array | null)[] = [];
      if (masks.some((mask) => mask !== null)) {
        const trunk = await (speed === "fast" ? joined.window(start) : embedder.listen(start, samples));
        for (const mask of masks) embeddings.push(mask && (await embedder.embed(trunk, mask)));
        if (speed === "exact") freeMemory(trunk.values);
      }
      const clear = masks.map((mask) => mask !== null && framesOf(mask) >= CLEAR_FRAMES);
      windows.add(active, embeddings, clear);
      progress((0.95 * windows.count) / starts.length);
    }
    const centroids = cluster(windows.telling(), bounds, () => progress(0.95));
    const speakers = windows.named((embedding) => nearestSpeaker(embedding, centroids));
    return reconstruct({ starts, activeIn: (window) => windows.activeIn(window), speakers }, centroids.count);
  } finally {
    windows.close();
  }
}

/** About how often the embedding's trunk is run; of `auto`, on a CPU. */
export function trunkRuns(samples: number, speed: "exact" | "fast" | "auto"): number {
  return samples / (speed === "exact" ? STEPS.exact * 16_000 : WINDOW_SAMPLES);
}

const framesOf = (mask: Uint8Array) => mask.reduce((sum, on) => sum + on, 0);
