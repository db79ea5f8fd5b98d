/** What a model folder says about itself. */
export type ModelInfo = {
  folder: string;
  /** SHA-256 over the files that decide a transcript: weights, configuration, tokenizer. */
  hash: string;
  multilingual: boolean;
  /** ISO codes that the model has a token for; `["en"]` for English-only models. */
  languages: string[];
  vocabularySize: number;
  melBins: number;
  windowSeconds: number;
};
