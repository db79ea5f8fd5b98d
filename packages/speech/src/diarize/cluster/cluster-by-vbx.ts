import type { SpeakerBounds } from "../turns.ts";
import { agglomerate, cutTree } from "./agglomerate.ts";
import { type Centroids, clusterEmbeddings, type Embeddings } from "./cluster-embeddings.ts";
import type { Plda } from "./plda.ts";
import { vbx } from "./vbx.ts";

/** Of community-1: the first guess may have too many speakers, for those that nothing needs fade. */
const THRESHOLD = 0.6;
/** Beyond this, hours of audio, the tree of all is too much. */
const MOST_EMBEDDINGS = 4000;

/**
 * Centroids of the speakers behind embeddings, as community-1 finds them: a tree's guess, improved by
 * variational Bayes in PLDA space. Where the number is bounded and another was found, or the recording is too long, as
 * pipeline 3.1 does.
 */
export function clusterByVbx(plda: Plda) {
  return (embeddings: Embeddings, bounds: SpeakerBounds, onBlock: () => void = () => {}): Centroids => {
    const { count: n, width } = embeddings;
    if (n < 2 || n > MOST_EMBEDDINGS) return clusterEmbeddings(embeddings, bounds, onBlock);
    const unit = embeddings.copy(0, n);
    const vectors = new Float64Array(n * plda.width);
    for (let i = 0; i < n; i++) {
      const row = unit.subarray(i * width, (i + 1) * width);
      vectors.set(plda.project(row), i * plda.width);
      const length = Math.hypot(...row) || 1;
      for (let d = 0; d < width; d++) row[d] /= length;
    }
    const { responsibilities, shares, speakers } = vbx(
      vectors,
      plda.phi,
      cutTree(agglomerate(unit, width), n, THRESHOLD),
    );
    if (speakers.length < bounds.minSpeakers || speakers.length > bounds.maxSpeakers) {
      return clusterEmbeddings(embeddings, bounds, onBlock);
    }
    const all = embeddings.copy(0, n);
    const values = new Float32Array(speakers.length * width);
    speakers.forEach((speaker, k) => {
      for (let i = 0; i < n; i++) {
        const weight = responsibilities[i * shares.length + speaker] / (n * shares[speaker]);
        for (let d = 0; d < width; d++) values[k * width + d] += weight * all[i * width + d];
      }
    });
    return { count: speakers.length, values };
  };
}
