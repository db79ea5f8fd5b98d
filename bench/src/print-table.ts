/** A table of Markdown, so that it can be pasted anywhere. Numbers stand right. */
export function printTable(names: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const cells = rows.map((row) => row.map(String));
  const widths = names.map((name, at) => Math.max(name.length, ...cells.map((row) => row[at]?.length ?? 0)));
  const isNumber = names.map((_, at) => rows.every((row) => /^[\d.,]+( ?[×%smMGiB/]*)?$/.test(String(row[at]))));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, at) => (isNumber[at] ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))).join(" | ")} |`;
  console.log(line([...names]));
  console.log(
    `| ${widths.map((width, at) => (isNumber[at] ? `${"-".repeat(width - 1)}:` : "-".repeat(width))).join(" | ")} |`,
  );
  for (const row of cells) console.log(line(row));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value that a share of all values does not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
