/** Columns under their names, as wide as what stands in them. */
function formatTable(names: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = names.map((name, at) => Math.max(name.length, ...rows.map((row) => (row[at] ?? "").length)));
  const line = (cells: readonly string[]) =>
    widths
      .map((width, at) => (cells[at] ?? "").padEnd(width))
      .join("  ")
      .trimEnd();
  return [line(names), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

export function printTable(names: readonly string[], rows: readonly (readonly string[])[]): void {
  console.log(formatTable(names, rows));
}
