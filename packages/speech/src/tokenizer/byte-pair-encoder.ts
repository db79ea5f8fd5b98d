import { CHARACTER_OF_BYTE } from "./byte-alphabet.ts";

/** GPT-2's split of a text into pieces within which bytes may merge. */
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Two ids as one number: ids stay far below 2^26. */
const pairKey = (left: number, right: number) => left * 2 ** 26 + right;

/** Byte-pair encoding (Sennrich et al. 2016) over bytes: within each piece, the pair that was learned first merges first. */
export class BytePairEncoder {
  readonly #idOfByte: number[];
  readonly #merges = new Map<number, { rank: number; id: number }>();

  /**
   * `merges` in the order learned, each as its two parts in the byte alphabet. Throws a RangeError where the vocabulary
   * lacks a byte, a part or the outcome of a merge.
   */
  constructor(vocabulary: ReadonlyMap<string, number>, merges: readonly (readonly [string, string])[]) {
    const idOf = (token: string) => {
      const id = vocabulary.get(token);
      if (id === undefined) throw new RangeError(`the vocabulary lacks ${JSON.stringify(token)}`);
      return id;
    };
    this.#idOfByte = CHARACTER_OF_BYTE.map(idOf);
    for (const [rank, [left, right]] of merges.entries()) {
      const key = pairKey(idOf(left), idOf(right));
      if (!this.#merges.has(key)) this.#merges.set(key, { rank, id: idOf(left + right) });
    }
  }

  /** Token ids of a text; the names of special tokens are text like any other. */
  encode(text: string): number[] {
    const ids: number[] = [];
    for (const [piece] of text.matchAll(PIECES)) {
      for (const id of this.#mergePiece(Array.from(Buffer.from(piece, "utf8"), (byte) => this.#idOfByte[byte]))) {
        ids.push(id);
      }
    }
    return ids;
  }

  #mergePiece(ids: number[]): number[] {
    let symbols = ids;
    for (;;) {
      let best: { rank: number; id: number } | undefined;
      let bestKey = -1;
      for (let i = 0; i + 1 < symbols.length; i++) {
        const key = pairKey(symbols[i], symbols[i + 1]);
        const merge = this.#merges.get(key);
        if (merge && (!best || merge.rank < best.rank)) [best, bestKey] = [merge, key];
      }
      if (!best) return symbols;
      const merged: number[] = [];
      for (let i = 0; i < symbols.length; i++) {
        if (i + 1 < symbols.length && pairKey(symbols[i], symbols[i + 1]) === bestKey) {
          merged.push(best.id);
          i++;
        } else {
          merged.push(symbols[i]);
        }
      }
      symbols = merged;
    }
  }
}
