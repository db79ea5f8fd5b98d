/**
 * The one-to-one assignment of rows to columns with the largest sum: for each row its column, or −1 where there are more
 * rows than columns. The Hungarian method with potentials (Kuhn 1955; rows are added one by one along cheapest paths).
 */
export function assignLargest(gains: readonly (readonly number[])[]): number[] {
  const rows = gains.length;
  const columns = gains[0]?.length ?? 0;
  if (columns === 0) return gains.map(() => -1);
  const size = Math.max(rows, columns);
  const cost = (row: number, column: number) => -(gains[row]?.[column] ?? 0);
  const rowPrice = new Float64Array(size + 1);
  const columnPrice = new Float64Array(size + 1);
  const rowOf = new Int32Array(size + 1).fill(-1);
  for (let row = 0; row < size; row++) {
    // A path of changes from a column that does not exist, to which the new row is bound first.
    let column = size;
    rowOf[column] = row;
    const least = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
    const before = new Int32Array(size).fill(size);
    const done = new Uint8Array(size + 1);
    do {
      done[column] = 1;
      const current = rowOf[column]!;
      let step = Number.POSITIVE_INFINITY;
      let next = -1;
      for (let c = 0; c < size; c++) {
        if (done[c]) continue;
        const reduced = cost(current, c) - rowPrice[current]! - columnPrice[c]!;
        if (reduced < least[c]!) [least[c], before[c]] = [reduced, column];
        if (least[c]! < step) [step, next] = [least[c]!, c];
      }
      for (let c = 0; c <= size; c++) {
        if (done[c]) {
          rowPrice[rowOf[c]!]! += step;
          columnPrice[c]! -= step;
        } else if (c < size) least[c]! -= step;
      }
      column = next;
    } while (rowOf[column]! >= 0);
    while (column !== size) {
      const previous = before[column]!;
      rowOf[column] = rowOf[previous]!;
      column = previous;
    }
  }
  const chosen = new Array<number>(rows).fill(-1);
  for (let c = 0; c < columns; c++) if (rowOf[c]! >= 0 && rowOf[c]! < rows) chosen[rowOf[c]!] = c;
  return chosen;
}
