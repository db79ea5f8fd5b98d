import type { WordTiming } from "./find-alignment.ts";

/** Words spread over a time by their lengths in characters. */
export function spreadWords(words: readonly WordTiming[], start: number, end: number): WordTiming[] {
  const characters = words.reduce((sum, { word }) => sum + word.length, 0);
  let from = start;
  return words.map((word) => {
    const to = from + ((end - start) * word.word.length) / characters;
    const spread = { ...word, start: from, end: to };
    from = to;
    return spread;
  });
}
