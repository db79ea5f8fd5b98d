import type { WordTiming } from "./find-alignment.ts";

const BELONGS_TO_NEXT = "\"'“¿([{-";
const BELONGS_TO_LAST = "\"'.。,，!！?？:：”)]}、";

/** Joins opening marks to the word behind them and closing marks to the word before; a mark alone has no time of its own. */
export function mergePunctuation(words: readonly WordTiming[]): WordTiming[] {
  const opened: WordTiming[] = [];
  for (const word of words.toReversed()) {
    const next = opened.at(-1);
    const opening = word.word.startsWith(" ") && word.word.trim() !== "" && BELONGS_TO_NEXT.includes(word.word.trim());
    // The mark's text and tokens go to the next word; that one's times stay.
    if (opening && next) {
      opened.splice(-1, 1, { ...next, word: word.word + next.word, tokens: [...word.tokens, ...next.tokens] });
    } else opened.push(word);
  }
  const merged: WordTiming[] = [];
  for (const word of opened.toReversed()) {
    const last = merged.at(-1);
    if (last && !last.word.endsWith(" ") && word.word !== "" && BELONGS_TO_LAST.includes(word.word)) {
      merged.splice(-1, 1, { ...last, word: last.word + word.word, tokens: [...last.tokens, ...word.tokens] });
    } else merged.push(word);
  }
  return merged;
}
