import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SpeechError } from "../../speech-error.ts";
import { type NumpyArray, readNpz } from "./read-npz.ts";

/** Where community-1 keeps them, beside the embedding model or in its folder `plda`. */
const PLACES = ["plda", "."];

export type Plda = { width: number; phi: Float64Array; project(embedding: ArrayLike<number>): Float64Array };

/**
 * Probabilistic linear discriminant analysis: takes embeddings to a space where a speaker's own spread is one in every
 * direction, and the spread between speakers is `phi`. Two centred, length-normalised steps with a linear map between
 * them, then a rotation (as community-1 has it).
 */
export function makePlda(transform: ReadonlyMap<string, NumpyArray>, model: ReadonlyMap<string, NumpyArray>): Plda {
  const [mean1, mean2, lda] = ["mean1", "mean2", "lda"].map((name) => take(transform, name));
  const [mu, tr, psi] = ["mu", "tr", "psi"].map((name) => take(model, name));
  const [wide, width] = lda.dims;
  const fits = mean1.values.length === wide && mean2.values.length === width && mu.values.length === width;
  if (!fits || tr.values.length !== width ** 2 || psi.values.length !== width) {
    throw new SpeechError("invalid_model", "the PLDA files do not fit each other");
  }
  // The map makes both covariances diagonal already; only their order is by the spread between speakers.
  const order = [...psi.values.keys()].sort((a, b) => psi.values[b] - psi.values[a]);
  return {
    width,
    phi: Float64Array.from(order, (i) => psi.values[i]),
    project(embedding) {
      const centred = Float64Array.from({ length: wide }, (_, i) => embedding[i] - mean1.values[i]);
      const first = toLength(centred, Math.sqrt(wide));
      const mapped = Float64Array.from({ length: width }, (_, d) => {
        let sum = -mean2.values[d];
        for (let i = 0; i < wide; i++) sum += lda.values[i * width + d] * first[i];
        return sum;
      });
      const second = toLength(mapped, Math.sqrt(width));
      return Float64Array.from(order, (row) => {
        let sum = 0;
        for (let d = 0; d < width; d++) sum += tr.values[row * width + d] * (second[d] - mu.values[d]);
        return sum;
      });
    },
  };
}

/** The PLDA files of an embedding model's folder; null where it has none. Throws `invalid_model` for broken ones. */
export async function readPlda(folder: string): Promise<Plda | null> {
  for (const place of PLACES) {
    const read = (name: string) => readFile(join(folder, place, name)).catch(() => null);
    const [transform, model] = [await read("xvec_transform.npz"), await read("plda.npz")];
    if (transform && model) return makePlda(readNpz(transform), readNpz(model));
  }
  return null;
}

function take(arrays: ReadonlyMap<string, NumpyArray>, name: string): NumpyArray {
  const found = arrays.get(name);
  if (!found) throw new SpeechError("invalid_model", `the PLDA files lack ${name}`);
  return found;
}

function toLength(vector: Float64Array, length: number): Float64Array {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value ** 2, 0)) || 1;
  return vector.map((value) => (value * length) / norm);
}
