import { BYTE_OF_CHARACTER } from "./byte-alphabet.ts";
import { BytePairEncoder } from "./byte-pair-encoder.ts";

export type TokenizerFiles = {
  /** Ordinary tokens, in the byte alphabet. */
  vocabulary: ReadonlyMap<string, number>;
  merges: readonly (readonly [string, string])[];
  /** Tokens outside of BPE, such as `<|endoftext|>`, as plain text. */
  added: ReadonlyMap<string, number>;
};

/** Text to token ids and back, by a model's own byte-level BPE. */
export class Tokenizer {
  /** One more than the highest id. */
  readonly size: number;
  readonly added: ReadonlyMap<string, number>;
  readonly #encoder: BytePairEncoder;
  readonly #bytes: (Uint8Array | undefined)[] = [];
  readonly #addedIds: ReadonlySet<number>;

  /** Throws a RangeError where the files do not fit together. */
  constructor({ vocabulary, merges, added }: TokenizerFiles) {
    this.added = added;
    this.#addedIds = new Set(added.values());
    this.#encoder = new BytePairEncoder(vocabulary, merges);
    for (const [token, id] of vocabulary) if (!this.#addedIds.has(id)) this.#bytes[id] = bytesOf(token);
    for (const [token, id] of added) this.#bytes[id] = Buffer.from(token, "utf8");
    this.size = this.#bytes.length;
  }

  encode(text: string): number[] {
    return this.#encoder.encode(text);
  }

  /**
   * The text of ordinary tokens; added tokens are left out. A character may be spread over several tokens; bytes that
   * form none become U+FFFD.
   */
  decode(ids: readonly number[]): string {
    const parts = ids.filter((id) => !this.#addedIds.has(id)).map((id) => this.#bytes[id] ?? new Uint8Array(0));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(parts));
  }

  /**
   * Ordinary tokens grouped so that each group's text is whole characters: a token that ends in the middle of a character
   * is joined with those that complete it. Bytes that form no character join their neighbours.
   */
  decodeByCharacters(ids: readonly number[]): { text: string; ids: number[] }[] {
    const groups: { text: string; ids: number[] }[] = [];
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let pending: number[] = [];
    for (const id of ids.filter((id) => !this.#addedIds.has(id))) {
      pending.push(id);
      const text = decoder.decode(this.#bytes[id], { stream: true });
      if (text === "") continue;
      groups.push({ text, ids: pending });
      pending = [];
    }
    const rest = decoder.decode();
    const last = groups.at(-1);
    if (pending.length > 0) groups.push({ text: rest, ids: pending });
    else if (last) last.text += rest;
    return groups;
  }
}

/** A vocabulary entry's bytes; entries that are not in the byte alphabet stand for their own text. */
function bytesOf(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) return Buffer.from(token, "utf8");
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
