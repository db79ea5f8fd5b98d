import { SpeechError } from "../speech-error.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { GenerationConfig, ModelConfig } from "./model-config.ts";

/** Ids that steer decoding, found by name in the model's own files. */
export type SpecialTokens = {
  startOfTranscript: number;
  endOfText: number;
  startOfPrevious: number;
  noTimestamps: number;
  noSpeech?: number;
  transcribe?: number;
  translate?: number;
  /** Timestamps are consecutive: `firstTimestamp + n` stands for n steps of time. */
  firstTimestamp: number;
  timestampCount: number;
  /** ISO code to id; empty for English-only models. */
  languages: ReadonlyMap<string, number>;
  /** All that is neither text, end nor timestamp: never to be emitted. */
  control: readonly number[];
};

const LANGUAGE_TOKEN = /^<\|([a-z]{2,3})\|>$/;

/**
 * Finds the special tokens; `timestampCount` is what a window's length asks for. Throws `invalid_model` where one that
 * decoding cannot do without is missing, or where ids lie outside the vocabulary.
 */
export function findSpecialTokens(
  tokenizer: Tokenizer,
  config: ModelConfig,
  generation: GenerationConfig,
  timestampCount: number,
): SpecialTokens {
  const { added } = tokenizer;
  const need = (name: string) => {
    const id = added.get(name);
    if (id === undefined) throw new SpeechError("invalid_model", `tokenizer: there is no ${name}`);
    return id;
  };
  if (tokenizer.size > config.vocab_size) {
    throw new SpeechError(
      "invalid_model",
      `the tokenizer has ids up to ${tokenizer.size - 1}, the network only ${config.vocab_size}`,
    );
  }
  const noTimestamps = need("<|notimestamps|>");
  const firstTimestamp = noTimestamps + 1;
  if (firstTimestamp + timestampCount > config.vocab_size) {
    throw new SpeechError(
      "invalid_model",
      `the vocabulary of ${config.vocab_size} has no room for ${timestampCount} timestamps`,
    );
  }
  const noSpeech = added.get("<|nospeech|>") ?? added.get("<|nocaptions|>");
  const startOfModel = added.get("<|startoflm|>");
  const [transcribe, translate] = [added.get("<|transcribe|>"), added.get("<|translate|>")];
  const tokens = {
    startOfTranscript: need("<|startoftranscript|>"),
    endOfText: need("<|endoftext|>"),
    startOfPrevious: need("<|startofprev|>"),
    noTimestamps,
    firstTimestamp,
    timestampCount,
    ...(noSpeech === undefined ? {} : { noSpeech }),
    ...(transcribe === undefined ? {} : { transcribe }),
    ...(translate === undefined ? {} : { translate }),
    languages: isMultilingual(config, generation, noTimestamps) ? languagesOf(added, generation) : new Map(),
  };
  if (tokens.languages.size > 0) need("<|transcribe|>");
  const control = [tokens.startOfTranscript, tokens.startOfPrevious, noSpeech, startOfModel, transcribe, translate];
  return { ...tokens, control: control.filter((id) => id !== undefined) };
}

/** English-only models have language tokens too, but were never taught them; where nothing says so, their prompt does. */
function isMultilingual(config: ModelConfig, generation: GenerationConfig, noTimestamps: number): boolean {
  if (generation.is_multilingual !== undefined) return generation.is_multilingual;
  if (generation.lang_to_id) return true;
  const forced = generation.forced_decoder_ids ?? config.forced_decoder_ids;
  return forced ? forced[0]?.[1] !== noTimestamps : true;
}

function languagesOf(added: ReadonlyMap<string, number>, generation: GenerationConfig): Map<string, number> {
  const names = generation.lang_to_id ? Object.entries(generation.lang_to_id) : [...added];
  const languages = new Map<string, number>();
  for (const [name, id] of names) {
    const code = LANGUAGE_TOKEN.exec(name)?.[1];
    if (code) languages.set(code, id);
  }
  if (languages.size === 0) throw new SpeechError("invalid_model", "a multilingual model without language tokens");
  return languages;
}
