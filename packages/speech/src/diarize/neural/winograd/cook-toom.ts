/** Matrices, by rows, of a correlation of `taps` with few products: `y = outputs · ((kernel · g) ⊙ (inputs · d))`. */
export type FewProducts = { outputs: number[][]; kernel: number[][]; inputs: number[][] };

/**
 * Cook's and Toom's algorithm for a correlation of `points.length + 1` inputs with `taps` weights: as many products as
 * inputs, for `points.length + 2 − taps` outputs (Winograd 1980, Arithmetic Complexity of Computations; Lavin and Gray
 * 2016, Fast Algorithms for Convolutional Neural Networks). Polynomials are multiplied by their values at `points` and
 * at infinity, which comes last; rounding grows with the points' powers.
 */
export function cookToom(points: readonly number[], taps: number): FewProducts {
  const count = points.length + 1;
  const last = count - taps;
  const outputs = Array.from({ length: last + 1 }, (_, i) => [
    ...points.map((point) => point ** i),
    i === last ? 1 : 0,
  ]);
  const kernel = points.map((point, j) => {
    const others = points.reduce((product, other, l) => (l === j ? product : product * (point - other)), 1);
    return Array.from({ length: taps }, (_, k) => point ** k / others);
  });
  kernel.push(Array.from({ length: taps }, (_, k) => (k === taps - 1 ? 1 : 0)));
  const inputs = [...points.keys(), -1].map((left) => {
    const coefficients = withRoots(points.filter((_, l) => l !== left));
    return Array.from({ length: count }, (_, i) => coefficients[i] ?? 0);
  });
  return { outputs, kernel, inputs };
}

/** Coefficients of the polynomial with these roots, the constant first. */
function withRoots(roots: readonly number[]): number[] {
  let coefficients = [1];
  for (const root of roots) {
    const next = new Array<number>(coefficients.length + 1).fill(0);
    for (const [i, c] of coefficients.entries()) {
      next[i + 1] += c;
      next[i] -= root * c;
    }
    coefficients = next;
  }
  return coefficients;
}
