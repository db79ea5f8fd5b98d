/** A word as a provider times it: without blanks, often without punctuation and case. */
export interface TimedWord {
  text: string;
  start: number;
  end: number;
  probability: number | null;
}

export interface SpelledText {
  text: string;
  words: { word: string; start: number; end: number; probability: number | null }[];
}

/** How far into the text a word may be; beyond it is another of the same spelling. */
const REACH = 60;

/**
 * Gives the words of a recording to its texts (segments, in order), spelled as they stand there: with the blank before,
 * and the punctuation around. The words of a text, joined, are the text. A word that no text has is dropped; a text in
 * which no word is found has none.
 */
export function spellWords(texts: readonly string[], words: readonly TimedWord[]): SpelledText[] {
  let next = 0;
  return texts.map((text, index) => {
    const folded = text.toLowerCase();
    const found: { at: number; word: TimedWord }[] = [];
    let from = 0;
    while (next < words.length) {
      const word = words[next]!;
      const form = word.text.trim().toLowerCase();
      const at = form === "" ? -1 : folded.indexOf(form, from);
      if (at >= 0 && at - from <= REACH) {
        found.push({ at, word });
        from = at + form.length;
        next += 1;
      } else if (form === "" || !isInNext(texts, index, form)) {
        next += 1;
      } else break;
    }
    return { text, words: cut(text, found) };
  });
}

/** Whether a later text begins with the word, as far as can be seen. */
function isInNext(texts: readonly string[], index: number, form: string): boolean {
  return texts.slice(index + 1, index + 3).some((text) => {
    const at = text.toLowerCase().indexOf(form);
    return at >= 0 && at <= REACH;
  });
}

/** Each word reaches from the blank before it to the blank before the next. */
function cut(text: string, found: readonly { at: number; word: TimedWord }[]): SpelledText["words"] {
  const borders = found.map(({ at }, i) => (i === 0 ? 0 : startOfToken(text, at)));
  return found.map(({ word: { start, end, probability } }, i) => ({
    word: text.slice(borders[i]!, borders[i + 1] ?? text.length),
    ...{ start, end, probability },
  }));
}

const OPENING = /[\s"'“‘«([¿¡-]/u;

function startOfToken(text: string, at: number): number {
  let start = at;
  while (start > 0 && OPENING.test(text[start - 1]!) && !/\s/.test(text[start]!)) start -= 1;
  return start;
}
