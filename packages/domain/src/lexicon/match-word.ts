/**
 * Whether a word is what a pattern says, in which `*` stands for any characters. Two pointers and no way back further
 * than the last star: at most pattern × word steps, whatever the pattern.
 */
export function matchWord(pattern: string, word: string): boolean {
  let [at, from] = [0, 0];
  let star = -1;
  let resume = 0;
  while (from < word.length) {
    if (pattern[at] === "*") {
      star = at;
      at += 1;
      resume = from;
    } else if (at < pattern.length && pattern[at] === word[from]) {
      at += 1;
      from += 1;
    } else if (star >= 0) {
      at = star + 1;
      resume += 1;
      from = resume;
    } else return false;
  }
  while (pattern[at] === "*") at += 1;
  return at === pattern.length;
}
