import type { Tokenizer } from "../../tokenizer/tokenizer.ts";

/** A word's text as written, with the space before it, and its tokens. */
export type WordTokens = { word: string; tokens: number[] };

/** Languages written without spaces: each character is timed as a word. */
const WITHOUT_SPACES: ReadonlySet<string> = new Set(["zh", "ja", "th", "lo", "my", "yue"]);

const PUNCTUATION = /^[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]$/;

/** Groups a text's tokens into words: at spaces and single punctuation marks, or by characters where no spaces are written. */
export function splitWords(tokenizer: Tokenizer, tokens: readonly number[], language: string): WordTokens[] {
  const pieces = tokenizer.decodeByCharacters(tokens).map(({ text, ids }) => ({ word: text, tokens: ids }));
  if (WITHOUT_SPACES.has(language)) return pieces;
  const words: WordTokens[] = [];
  for (const piece of pieces) {
    const last = words.at(-1);
    if (!last || piece.word.startsWith(" ") || PUNCTUATION.test(piece.word.trim())) {
      words.push(piece);
    } else {
      last.word += piece.word;
      last.tokens = [...last.tokens, ...piece.tokens];
    }
  }
  return words;
}
