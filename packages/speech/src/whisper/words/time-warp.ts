/**
 * Dynamic time warping over a cost matrix `[rows, columns]`, row-major (Sakoe and Chiba 1978, steps of one in either or
 * both directions): the cheapest monotonic path from the first corner to the last, as pairs of row and column.
 */
export function timeWarp(cost: Float32Array, rows: number, columns: number): { rows: Int32Array; columns: Int32Array } {
  const width = columns + 1;
  let above = new Float32Array(width).fill(Number.POSITIVE_INFINITY);
  let current = new Float32Array(width);
  above[0] = 0;
  // 0: both steps, 1: from the row above, 2: from the column before
  const steps = new Uint8Array((rows + 1) * width);
  for (let i = 1; i <= rows; i++) {
    current[0] = Number.POSITIVE_INFINITY;
    for (let j = 1; j <= columns; j++) {
      const diagonal = above[j - 1];
      const vertical = above[j];
      const horizontal = current[j - 1];
      let least = horizontal;
      let step = 2;
      if (diagonal < vertical && diagonal < horizontal) [least, step] = [diagonal, 0];
      else if (vertical < diagonal && vertical < horizontal) [least, step] = [vertical, 1];
      current[j] = cost[(i - 1) * columns + j - 1] + least;
      steps[i * width + j] = step;
    }
    [above, current] = [current, above];
  }
  const rowPath: number[] = [];
  const columnPath: number[] = [];
  let [i, j] = [rows, columns];
  while (i > 0 || j > 0) {
    rowPath.push(i - 1);
    columnPath.push(j - 1);
    const step = i === 0 ? 2 : j === 0 ? 1 : steps[i * width + j];
    if (step !== 2) i--;
    if (step !== 1) j--;
  }
  return { rows: Int32Array.from(rowPath.reverse()), columns: Int32Array.from(columnPath.reverse()) };
}
