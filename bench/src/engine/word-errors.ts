/** Words as they are scored: lower case, without punctuation. */
function normalizedWords(text: string): string[] {
  return text
    .toLowerCase()
    .replace(/[’`]/g, "'")
    .replace(/[^\p{L}\p{N}' ]+/gu, " ")
    .split(/\s+/)
    .map((word) => word.replace(/^'+|'+$/g, ""))
    .filter((word) => word !== "");
}

/** Words of `said` that `heard` lacks, changes or adds, by the fewest edits. */
export function wordErrors(said: string, heard: string): { errors: number; words: number } {
  const [a, b] = [normalizedWords(said), normalizedWords(heard)];
  let row = Uint32Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, word] of a.entries()) {
    const next = new Uint32Array(b.length + 1);
    next[0] = i + 1;
    for (let j = 0; j < b.length; j++) {
      next[j + 1] = Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (word === b[j] ? 0 : 1));
    }
    row = next;
  }
  return { errors: row[b.length]!, words: a.length };
}

/** Word error rate over all pairs of what was said and what was heard, in percent. */
export function errorRate(pairs: readonly (readonly [string, string])[]): number {
  let [errors, words] = [0, 0];
  for (const [said, heard] of pairs) {
    const one = wordErrors(said, heard);
    errors += one.errors;
    words += one.words;
  }
  return (100 * errors) / words;
}
