/** A join of two clusters: numbers below `n` are points, `n + i` is what join `i` made. */
export type Join = { a: number; b: number; distance: number; size: number };

/** Of so many points the distances are kept (32 MB): where all are strangers, most are asked for at each join. */
const MOST_KNOWN = 2900;

/**
 * Agglomerative clustering with centroid linkage: again and again the two whose centroids are nearest (Euclidean) become
 * one, with their weighted mean as centroid. `points [n, width]`. Distances may fall from one join to the next, as is
 * known of this linkage.
 */
export function agglomerate(
  points: Float32Array,
  width: number,
  weights?: ArrayLike<number>,
  mostKnown = MOST_KNOWN,
): Join[] {
  const n = points.length / width;
  const centroids = Float64Array.from(points);
  const sizes = Float64Array.from({ length: n }, (_, i) => weights?.[i] ?? 1);
  const node = Int32Array.from({ length: n }, (_, i) => i);
  const alive = Array.from({ length: n }, (_, i) => i);
  const measure = (i: number, j: number) => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += (centroids[i * width + d] - centroids[j * width + d]) ** 2;
    return sum;
  };
  const known = n <= mostKnown ? new Float64Array((n * (n - 1)) / 2) : undefined;
  const placeOf = (i: number, j: number) => (i > j ? (i * (i - 1)) / 2 + j : (j * (j - 1)) / 2 + i);
  const distance = (i: number, j: number) => (known ? known[placeOf(i, j)] : measure(i, j));
  const learn = (i: number, others: readonly number[]) => {
    if (known) for (const j of others) if (j !== i) known[placeOf(i, j)] = measure(i, j);
  };
  for (const i of alive) learn(i, alive.slice(0, i));
  // For each the nearest among those before it.
  const nearest = Array.from({ length: n }, () => ({ of: -1, at: Number.POSITIVE_INFINITY }));
  const search = (i: number) => {
    nearest[i] = { of: -1, at: Number.POSITIVE_INFINITY };
    for (const j of alive) {
      if (j >= i) break;
      const at = distance(i, j);
      if (at < nearest[i].at) nearest[i] = { of: j, at };
    }
  };
  for (const i of alive) search(i);
  const joins: Join[] = [];
  while (alive.length > 1) {
    const from = alive.reduce((best, i) => (nearest[i].at < nearest[best].at ? i : best), alive[0]);
    const { of: into, at } = nearest[from];
    const size = sizes[from] + sizes[into];
    joins.push({ a: node[into], b: node[from], distance: Math.sqrt(at), size });
    for (let d = 0; d < width; d++) {
      const sum = centroids[from * width + d] * sizes[from] + centroids[into * width + d] * sizes[into];
      centroids[into * width + d] = sum / size;
    }
    sizes[into] = size;
    node[into] = n + joins.length - 1;
    alive.splice(alive.indexOf(from), 1);
    learn(into, alive);
    for (const other of alive) {
      if (other === into || nearest[other].of === into || nearest[other].of === from) search(other);
      else if (other > into) {
        const moved = distance(other, into);
        if (moved < nearest[other].at) nearest[other] = { of: into, at: moved };
      }
    }
  }
  return joins;
}

/**
 * The clusters of a tree of joins below a distance: the largest branches within which no join is farther. A label for
 * each of `n` points, numbered by first point.
 */
export function cutTree(joins: readonly Join[], n: number, threshold: number): Int32Array {
  const farthest = new Float64Array(n + joins.length);
  const parent = new Int32Array(n + joins.length).fill(-1);
  joins.forEach(({ a, b, distance }, i) => {
    farthest[n + i] = Math.max(distance, farthest[a], farthest[b]);
    if (farthest[n + i] <= threshold) parent[a] = parent[b] = n + i;
  });
  const numbers = new Map<number, number>();
  return Int32Array.from({ length: n }, (_, point) => {
    let root = point;
    while (parent[root] >= 0) root = parent[root];
    if (!numbers.has(root)) numbers.set(root, numbers.size);
    return numbers.get(root)!;
  });
}
