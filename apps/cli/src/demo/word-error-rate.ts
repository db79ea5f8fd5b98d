/** How far a text is from the one that was spoken. Counts of words. */
export interface WordErrors {
  substitutions: number;
  insertions: number;
  deletions: number;
  /** Words of the reference. */
  words: number;
  /** All errors by the reference's words; above 1 where more was invented than said. */
  rate: number;
}

/** Lower case, apostrophes kept within words, all other punctuation gone. Numbers stay as they are written. */
export function toWords(text: string): string[] {
  return (
    text
      .toLowerCase()
      .replaceAll("’", "'")
      .match(/[\p{L}\p{N}]+(?:'[\p{L}]+)*/gu) ?? []
  );
}

/** The fewest changes that make `spoken` of `heard` (Levenshtein over words), split by kind. */
export function wordErrors(spoken: string, heard: string): WordErrors {
  const reference = toWords(spoken);
  const words = toWords(heard);
  // A cell: substitutions, insertions and deletions on the cheapest way there.
  let row = Array.from({ length: words.length + 1 }, (_, count) => [0, count, 0] as const);
  for (const [at, word] of reference.entries()) {
    const next: (readonly [number, number, number])[] = [[0, 0, at + 1]];
    for (const [index, other] of words.entries()) {
      const [s, i, d] = row[index]!;
      const diagonal = word === other ? ([s, i, d] as const) : ([s + 1, i, d] as const);
      const [ls, li, ld] = next[index]!;
      const [us, ui, ud] = row[index + 1]!;
      next.push(cheapest(diagonal, [ls, li + 1, ld], [us, ui, ud + 1]));
    }
    row = next as typeof row;
  }
  const [substitutions, insertions, deletions] = row.at(-1)!;
  const errors = substitutions + insertions + deletions;
  const rate = reference.length > 0 ? errors / reference.length : errors > 0 ? 1 : 0;
  return { substitutions, insertions, deletions, words: reference.length, rate };
}

function cheapest(...ways: (readonly [number, number, number])[]): readonly [number, number, number] {
  const cost = ([s, i, d]: readonly [number, number, number]) => s + i + d;
  return ways.reduce((best, way) => (cost(way) < cost(best) ? way : best));
}
