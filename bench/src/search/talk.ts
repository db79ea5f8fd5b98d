/** Sentences of made-up words that occur as often as words do. */
export interface Talk {
  /** The word of a rank, from 0, the most common. */
  word(rank: number): string;
  sentence(): string;
  random(below: number): number;
}

const WORDS = 20_000;
const SYLLABLES = ["ba", "ko", "ri", "mu", "te", "sa", "lo", "ni", "fu", "de", "va", "po", "gi", "ru", "ze", "ha"];

/** @param seed the same seed says the same */
export function createTalk(seed: number): Talk {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const random = (below: number) => Math.floor(uniform() * below);
  const word = (rank: number) => {
    let text = "";
    for (let left = rank + 256; left > 0; left = Math.floor(left / 16)) text += SYLLABLES[left % 16];
    return text;
  };
  // Zipf's law: the nth word is said one nth as often as the first.
  const zipf = () => Math.min(WORDS - 1, Math.floor(WORDS ** uniform()) - 1);
  const sentence = () => Array.from({ length: 8 + random(12) }, () => word(zipf())).join(" ");
  return { word, sentence, random };
}
