import type { Embeddings } from "../../src/diarize/cluster/cluster-embeddings.ts";

/** Those of an array, `[n, width]`. */
export const givenEmbeddings = (values: Float32Array, width: number): Embeddings => ({
  count: values.length / width,
  width,
  copy: (from, to) => values.slice(from * width, to * width),
});
