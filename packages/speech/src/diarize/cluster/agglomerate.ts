/** A join of two clusters: numbers below `n` are points, `n + i` is what join `i` made. */
export type Join = { a: number; b: number; distance: number; size: number };

/** Of so many points the distances are kept (64 MB): where all are strangers, most are asked for at each join. */
const MOST_KNOWN = 4000;

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
  const sizes = Float64Array.from({ length: n }, (_, i) => weights?.[i] ?? 1);
  const node = Int32Array.from({ length: n }, (_, i) => i);
  const alive = Array.from({ length: n }, (_, i) => i);
  const distances = n <= mostKnown ? new KnownDistances(points, width, n) : new MeasuredDistances(points, width);
  // For each the nearest among those before it.
  const nearest = Int32Array.from(alive, () => -1);
  const nearestAt = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  const search = (i: number) => {
    nearest[i] = -1;
    nearestAt[i] = Number.POSITIVE_INFINITY;
    for (const j of alive) {
      if (j >= i) break;
      const at = distances.between(i, j);
      if (at < nearestAt[i]) [nearest[i], nearestAt[i]] = [j, at];
    }
  };
  for (const i of alive) search(i);
  const joins: Join[] = [];
  while (alive.length > 1) {
    let from = alive[0];
    for (const i of alive) if (nearestAt[i] < nearestAt[from]) from = i;
    const into = nearest[from];
    const size = sizes[from] + sizes[into];
    joins.push({ a: node[into], b: node[from], distance: Math.sqrt(nearestAt[from]), size });
    alive.splice(alive.indexOf(from), 1);
    distances.join(from, into, sizes, alive);
    sizes[into] = size;
    node[into] = n + joins.length - 1;
    for (const other of alive) {
      if (other === into || nearest[other] === into || nearest[other] === from) search(other);
      else if (other > into) {
        const moved = distances.between(other, into);
        if (moved < nearestAt[other]) [nearest[other], nearestAt[other]] = [into, moved];
      }
    }
  }
  return joins;
}

/** Squared distances between the centroids of clusters, each named by one of its points. */
interface Distances {
  between(i: number, j: number): number;
  /** What `from` had belongs to `into`; `sizes` are those before, `alive` all that are left. */
  join(from: number, into: number, sizes: Float64Array, alive: readonly number[]): void;
}

class MeasuredDistances implements Distances {
  readonly #centroids: Float64Array;
  readonly #width: number;

  constructor(points: Float32Array, width: number) {
    this.#centroids = Float64Array.from(points);
    this.#width = width;
  }

  between(i: number, j: number): number {
    return squaredDistance(this.#centroids, this.#width, i, j);
  }

  join(from: number, into: number, sizes: Float64Array): void {
    const [centroids, width] = [this.#centroids, this.#width];
    for (let d = 0; d < width; d++) {
      const sum = centroids[from * width + d] * sizes[from] + centroids[into * width + d] * sizes[into];
      centroids[into * width + d] = sum / (sizes[from] + sizes[into]);
    }
  }
}

/** Measured once; those of a new cluster follow from its parts' (Lance and Williams 1967). */
class KnownDistances implements Distances {
  readonly #values: Float64Array;

  constructor(points: Float32Array, width: number, n: number) {
    this.#values = new Float64Array((n * (n - 1)) / 2);
    const precise = Float64Array.from(points);
    for (let i = 1; i < n; i++) {
      for (let j = 0; j < i; j++) this.#values[place(i, j)] = squaredDistance(precise, width, i, j);
    }
  }

  between(i: number, j: number): number {
    return this.#values[place(i, j)];
  }

  join(from: number, into: number, sizes: Float64Array, alive: readonly number[]): void {
    const values = this.#values;
    const share = sizes[from] / (sizes[from] + sizes[into]);
    const apart = share * (1 - share) * values[place(from, into)];
    for (const other of alive) {
      if (other === into) continue;
      const at = place(into, other);
      values[at] = Math.max(0, share * values[place(from, other)] + (1 - share) * values[at] - apart);
    }
  }
}

/** In a triangle of rows. */
function place(i: number, j: number): number {
  return i > j ? (i * (i - 1)) / 2 + j : (j * (j - 1)) / 2 + i;
}

function squaredDistance(values: Float64Array, width: number, i: number, j: number): number {
  const [a, b] = [i * width, j * width];
  let sum = 0;
  for (let d = 0; d < width; d++) {
    const apart = values[a + d] - values[b + d];
    sum += apart * apart;
  }
  return sum;
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
